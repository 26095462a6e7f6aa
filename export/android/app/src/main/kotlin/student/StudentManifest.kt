package student

import org.json.JSONArray
import org.json.JSONObject
import kotlin.math.max
import kotlin.math.min

/** An input or output of the file; real value = (stored - zeroPoint) * scale. */
class TensorInfo(json: JSONObject) {
    val shape: List<Int> = json.getJSONArray("shape").numbers().map { it.toInt() }
    val dtype: String = json.getString("dtype")
    val scale: Float = json.optDouble("scale", 1.0).toFloat()
    val zeroPoint: Int = json.optInt("zero_point", 0)
}

/** What student.json says that an app must know; export/README.md has all fields. */
class StudentManifest(text: String) {
    private val json = JSONObject(text)
    val input = TensorInfo(json.getJSONObject("input"))
    val output = TensorInfo(json.getJSONObject("output"))
    val labels: List<String>? = json.optJSONArray("labels")?.let { array ->
        List(array.length()) { array.getString(it) }
    }

    // What the file does itself is not to be done again.
    private val normalization: JSONObject? =
        if (json.getBoolean("normalization_folded")) null else json.optJSONObject("normalization")
    private val mean: List<Float> = normalization?.getJSONArray("mean")?.numbers() ?: listOf(0f)
    private val std: List<Float> = normalization?.getJSONArray("std")?.numbers() ?: listOf(1f)
    private val rawRange: Pair<Float, Float> = rawRange(json.optJSONArray("input_range")?.numbers())

    /** The file's input for a pixel in [0, 1] of a channel. */
    fun inputOf(pixel: Float, channel: Int): Float {
        val raw = rawRange.first + pixel * (rawRange.second - rawRange.first)
        return (raw - mean.of(channel)) / std.of(channel)
    }

    /** The class that the file's outputs stand for. */
    fun classOf(scores: FloatArray): Int {
        if (scores.size > 1) return scores.indices.maxBy { scores[it] }
        // One output tells the second class from the first.
        val half = if (json.getString("output_kind") == "logits") 0f else 0.5f
        return if (scores[0] > half) 1 else 0
    }

    /** What black and white are before the normalisation; the range is of what follows it. */
    private fun rawRange(range: List<Float>?): Pair<Float, Float> {
        if (range == null) {
            return Pair(0f, if (normalization != null && std.max() > 1f) 255f else 1f)
        }
        val ends = List(max(mean.size, std.size)) { channel ->
            range.map { it * std.of(channel) + mean.of(channel) }
        }
        return Pair(ends.maxOf { min(it[0], it[1]) }, ends.minOf { max(it[0], it[1]) })
    }
}

private fun List<Float>.of(channel: Int): Float = this[if (size == 1) 0 else channel]

private fun JSONArray.numbers(): List<Float> = List(length()) { getDouble(it).toFloat() }
