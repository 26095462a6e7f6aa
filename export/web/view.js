// What the page shows. Text of files is only ever set as text, never as HTML.
import { INK_SHARE, fillsFrame } from "./ink.js";

const MOST_CLASSES = 12;
const HISTOGRAM_BARS = 32;

/** The element with an id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Shows a message in one line, or none for "". */
export function showMessage(text) {
  byId("message").textContent = text;
  byId("message").hidden = !text;
}

/** Shows a student, and how pictures reach it. */
export function showStudent(student, plan, version) {
  const { manifest } = student;
  byId("empty").hidden = true;
  byId("student").hidden = false;
  byId("student").classList.toggle("no-picture", !plan);
  byId("name").textContent = student.name;
  document.title = student.name;
  byId("facts").textContent = [
    manifest?.precision,
    `${bytes(student.sizeBytes)}`,
    manifest?.params && `${manifest.params.toLocaleString("en")} weights`,
    manifest?.labels && `${manifest.labels.length} classes`,
  ]
    .filter(Boolean)
    .join(" · ");
  byId("try").hidden = byId("answer").hidden = !plan;
  byId("size").textContent = bytes(student.sizeBytes);
  byId("init").textContent = milliseconds(student.initMs);
  byId("on").textContent = runsOn(student);
  showAbout(student, plan, version);
}

function runsOn({ gpu, threads }) {
  if (gpu) return gpu.isEmulated ? "software GPU" : "GPU";
  return threads > 1 ? `CPU × ${threads}` : "CPU";
}

/** Tells what happens to a drawing or a picture before the student sees it. */
export function showExplanation(plan, mode, isFitted) {
  const size = `${plan.height} × ${plan.width}`;
  const parts = [];
  if (mode === "draw" && isFitted && fillsFrame(plan)) {
    const share = `${(INK_SHARE * 100).toFixed(1)} %`;
    parts.push(`As scikit-learn's digits do, the ink fills the frame and covers ${share} of it;`);
  } else if (mode === "draw" && isFitted) {
    parts.push("The ink takes 20/28 of the frame, its mass in the middle, as in MNIST;");
  } else if (mode === "picture") {
    parts.push(plan.channels === 1 ? "The picture in grey, stretched;" : "The picture, stretched;");
  }
  const [low, high] = [plan.low, plan.high].map((end) => Number(end.toFixed(3)));
  parts.push(`each of ${size} pixels is the mean of what it covers,`);
  parts.push(`${low} for ${mode === "draw" ? "paper" : "black"} to ${high}`);
  parts.push(mode === "draw" ? "for ink" : "for white");
  if (plan.normalization) parts.push("then normalised as in training");
  const sentence = `${parts.slice(0, -1).join(" ")} ${parts.at(-1)}.`;
  const text = sentence.charAt(0).toUpperCase() + sentence.slice(1);
  byId("explained").textContent = plan.isRangeKnown
    ? text
    : `${text} The range is a guess: no manifest tells it.`;
}

/** Shows the pixels that a student is given, or an empty frame for null. */
export function showSeen(pixels, plan) {
  const canvas = byId("seen");
  canvas.width = plan.width;
  canvas.height = plan.height;
  if (!pixels) return;
  const context = canvas.getContext("2d");
  const image = context.createImageData(plan.width, plan.height);
  for (let k = 0; k < plan.width * plan.height; k++) {
    for (let c = 0; c < 3; c++) {
      const from = plan.channels === 1 ? k : 3 * k + c;
      image.data[4 * k + c] = Math.round(pixels[from] * 255);
    }
    image.data[4 * k + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** Shows classes as bars, or empty ones when `isEmpty`. */
export function showAnswer(all, isEmpty = false) {
  const best = all.reduce((a, b) => (b.value > a.value ? b : a));
  const some =
    all.length > MOST_CLASSES
      ? [...all].sort((a, b) => b.value - a.value).slice(0, MOST_CLASSES)
      : all;
  byId("best").replaceChildren(
    element("span", isEmpty ? "–" : best.label),
    ...(isEmpty ? [] : [element("span", best.text)]),
  );
  const bars = byId("bars");
  while (bars.children.length > some.length) bars.lastChild.remove();
  while (bars.children.length < some.length) bars.append(newBar());
  some.forEach((one, k) => fillBar(bars.children[k], one, { isEmpty, isBest: one === best }));
  byId("more").textContent =
    all.length > some.length ? `The first ${some.length} of ${all.length} classes.` : "";
}

function newBar() {
  const item = document.createElement("li");
  const track = element("div", "", "track");
  track.append(element("div", "", "fill"));
  item.append(element("span", "", "label"), track, element("span", "", "value"));
  return item;
}

function fillBar(item, { label, value, text }, { isEmpty, isBest }) {
  const length = isEmpty ? 0 : Math.min(1, value);
  item.className = isBest && !isEmpty ? "is-best" : "";
  item.querySelector(".label").textContent = label;
  item.querySelector(".label").title = label;
  item.querySelector(".fill").style.transform = `translateX(${(length - 1) * 100}%)`;
  item.querySelector(".value").textContent = isEmpty ? "" : text;
}

/** Shows what `measure` found. */
export function showSpeed(result, student, isIsolated) {
  for (const [id, field] of [["p50", "p50_ms"], ["p90", "p90_ms"], ["min", "min_ms"]]) {
    byId(id).textContent = milliseconds(result[field]);
  }
  const parts = [`${result.runs} times after ${result.warmup} runs to warm up.`];
  if (result.batch > 1) {
    parts.push(
      `This browser's clock steps by ${result.clock_step_ms} ms, so each time is the ` +
        `mean of ${result.batch} runs in a row.`,
    );
  }
  if (!isIsolated) {
    parts.push("A server that sends COOP and COEP headers gives a finer clock and threads.");
  }
  if (student.gpu?.isEmulated) {
    parts.push("Software plays the GPU here: a real one has other times.");
  }
  byId("how").textContent = parts.join(" ");
  showHistogram(result);
}

/** From the fastest time on; the last bar holds all that are very slow. */
function showHistogram({ times_ms: times, min_ms: least, p50_ms: median, p99_ms: p99 }) {
  const most = Math.max(median * 1.05, Math.min(p99, least + 5 * (median - least)));
  const barOf = (time) =>
    Math.min(HISTOGRAM_BARS - 1, Math.floor(((time - least) / (most - least)) * HISTOGRAM_BARS));
  const counts = new Array(HISTOGRAM_BARS).fill(0);
  for (const time of times) counts[barOf(time)]++;
  const highest = Math.max(...counts);
  byId("histogram").replaceChildren(
    ...counts.map((count, k) => {
      const bar = element("i", "", k === barOf(median) ? "has-median" : "");
      bar.style.height = `${(count / highest) * 100}%`;
      return bar;
    }),
  );
  byId("least").textContent = milliseconds(least);
  byId("most").textContent = `${milliseconds(most)} and more`;
  byId("histogram").ariaLabel = "How often each time was measured";
}

function showAbout(student, plan, version) {
  const { manifest, input, output } = student;
  const operations = Object.entries(manifest?.ops ?? {});
  const lines = {
    input: `${input.dtype} ${input.shape.join(" × ")}`,
    output: `${output.dtype} ${output.shape.join(" × ")}, ${manifest?.output_kind ?? "unknown"}`,
    operations: operations.map(([name, count]) => `${name} × ${count}`).join(", "),
    "run by": `LiteRT.js ${version}`,
    "WebAssembly memory": bytes(student.memoryBytes),
    "made with": Object.entries(manifest?.versions ?? {})
      .map((pair) => pair.join(" "))
      .join(", "),
    SHA256: manifest?.sha256,
  };
  if (student.gpu) lines.GPU = student.gpu.name;
  if (!plan) lines.pictures = "this student does not take any";
  if (!manifest) lines.manifest = "none: open the .json too, for labels and the input's range";
  const present = Object.entries(lines).filter(([, text]) => text);
  byId("about").replaceChildren(
    ...present.flatMap(([name, text]) => [element("dt", name), element("dd", text)]),
  );
}

function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function milliseconds(value) {
  const digits = value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ms`;
}

function bytes(count) {
  return count < 1e6 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}
