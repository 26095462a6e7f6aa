plugins {
    id("com.android.application") version "8.13.2"
    id("org.jetbrains.kotlin.android") version "2.3.0"
}

android {
    namespace = "student"
    compileSdk = 36

    defaultConfig {
        applicationId = "keras_kd.student"
        minSdk = 24 // of LiteRT 2.3's package
        targetSdk = 36
        versionCode = 1
        versionName = "1"
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    androidResources {
        // LiteRT maps the file into memory, which a compressed one does not allow.
        noCompress += "tflite"
    }
}

kotlin {
    jvmToolchain(17)
}

dependencies {
    implementation("androidx.activity:activity:1.10.0")
    implementation("com.google.ai.edge.litert:litert:2.3.0")
}

tasks.wrapper {
    gradleVersion = "8.13"
}
