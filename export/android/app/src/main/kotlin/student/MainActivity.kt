package student

import android.graphics.BitmapFactory
import android.net.Uri
import android.os.Bundle
import android.view.Gravity
import android.widget.Button
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.TextView
import androidx.activity.ComponentActivity
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia
import kotlin.concurrent.thread

/** Lets a person choose an image, and shows what the student says about it. */
class MainActivity : ComponentActivity() {
    private lateinit var student: Student
    private lateinit var picture: ImageView
    private lateinit var answer: TextView
    private val chosen = registerForActivityResult(PickVisualMedia()) { uri -> uri?.let { show(it) } }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        student = Student(this)
        picture = ImageView(this)
        answer = TextView(this).apply { textSize = 20f }
        val choose = Button(this).apply {
            setText(R.string.choose)
            setOnClickListener { chosen.launch(PickVisualMediaRequest(PickVisualMedia.ImageOnly)) }
        }
        setContentView(
            LinearLayout(this).apply {
                orientation = LinearLayout.VERTICAL
                gravity = Gravity.CENTER
                listOf(picture, answer, choose).forEach { addView(it) }
            },
        )
    }

    override fun onDestroy() {
        // A thread may be in the middle of `classify`.
        synchronized(student) { student.close() }
        super.onDestroy()
    }

    private fun show(uri: Uri) = thread {
        val image = contentResolver.openInputStream(uri).use { BitmapFactory.decodeStream(it) }
        val result = image?.let {
            synchronized(student) { if (isDestroyed) null else student.classify(it) }
        }
        runOnUiThread {
            picture.setImageBitmap(image)
            answer.text = if (result == null) {
                getString(R.string.unreadable)
            } else {
                getString(R.string.answer, result.label, result.score, result.milliseconds)
            }
        }
    }
}
