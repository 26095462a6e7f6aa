package student

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Color
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import kotlin.math.roundToInt

/** What a student says about an image; the score is a logit or a probability. */
class Answer(val label: String, val score: Float, val milliseconds: Double)

/** The student in the app's assets: student.tflite and its student.json. */
class Student(context: Context) : AutoCloseable {
    private val manifest = StudentManifest(
        context.assets.open("student.json").bufferedReader().use { it.readText() },
    )
    private val model = CompiledModel.create(
        context.assets,
        "student.tflite",
        CompiledModel.Options(Accelerator.CPU),
        null,
    )
    private val inputs = model.createInputBuffers()
    private val outputs = model.createOutputBuffers()

    init {
        val shape = manifest.input.shape
        require(shape.size == 4 && shape[3] in listOf(1, 3)) {
            "expected a student of grey or colour images, got input $shape"
        }
        for (tensor in listOf(manifest.input, manifest.output)) {
            require(tensor.dtype in listOf("float32", "int8")) {
                "${tensor.dtype} is not float32 or int8: convert the student with float_io=True"
            }
        }
    }

    /** The class of an image. Give software bitmaps: the pixels of others cannot be read. */
    fun classify(image: Bitmap): Answer {
        val values = inputValues(image)
        val start = System.nanoTime()
        write(values)
        model.run(inputs, outputs)
        val scores = read()
        val milliseconds = (System.nanoTime() - start) / 1e6
        val best = manifest.classOf(scores)
        return Answer(
            manifest.labels?.getOrNull(best) ?: "class $best",
            scores[if (scores.size == 1) 0 else best],
            milliseconds,
        )
    }

    override fun close() {
        (inputs + outputs).forEach { it.close() }
        model.close()
    }

    /** Rows of pixels, of each its channels, as the file takes them. */
    private fun inputValues(image: Bitmap): FloatArray {
        val (_, height, width, channels) = manifest.input.shape
        val pixels = IntArray(height * width)
        Bitmap.createScaledBitmap(image, width, height, true)
            .getPixels(pixels, 0, width, 0, 0, width, height)
        return FloatArray(pixels.size * channels) { place ->
            val channel = place % channels
            manifest.inputOf(brightness(pixels[place / channels], channel, channels), channel)
        }
    }

    private fun brightness(pixel: Int, channel: Int, channels: Int): Float {
        val rgb = floatArrayOf(
            Color.red(pixel) / 255f,
            Color.green(pixel) / 255f,
            Color.blue(pixel) / 255f,
        )
        // Grey as TensorFlow and Pillow make it.
        return if (channels == 3) rgb[channel] else 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2]
    }

    private fun write(values: FloatArray) {
        val (scale, zeroPoint) = Pair(manifest.input.scale, manifest.input.zeroPoint)
        if (manifest.input.dtype == "float32") {
            inputs[0].writeFloat(values)
        } else {
            inputs[0].writeInt8(
                ByteArray(values.size) {
                    ((values[it] / scale).roundToInt() + zeroPoint).coerceIn(-128, 127).toByte()
                },
            )
        }
    }

    private fun read(): FloatArray {
        val (scale, zeroPoint) = Pair(manifest.output.scale, manifest.output.zeroPoint)
        if (manifest.output.dtype == "float32") return outputs[0].readFloat()
        val stored = outputs[0].readInt8()
        return FloatArray(stored.size) { (stored[it] - zeroPoint) * scale }
    }
}
