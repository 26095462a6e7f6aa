// The page: opens a student, gives it drawings and pictures, and times it.
import { classes } from "./answers.js";
import { drawingBoard } from "./draw.js";
import { readPicture, readStudentFiles, studentAt } from "./files.js";
import { answerGolden, measure } from "./measure.js";
import { drawingPixels, inputValues, picturePixels, picturePlan } from "./pixels.js";
import { Student, abilities, runtimeVersion } from "./student.js";
import { byId, showAnswer, showExplanation, showMessage } from "./view.js";
import { showSeen, showSpeed, showStudent } from "./view.js";

// Time to spend on the first measurement, so that the page is soon at hand.
const FIRST_BUDGET_MS = 1500;
const asked = new URLSearchParams(location.search);
const board = drawingBoard(byId("board"), () => answerSoon());
let offered = { threads: 1, hasGpu: false, isIsolated: false };
let version = "";
let files = null;
let student = null;
let plan = null;
let picture = null;
let mode = "draw";
let work = Promise.resolve();
const pending = new Set();
let isAnswerDue = false;

/** Does one thing after the other: a run must not disturb the timing of another. */
function inTurn(task) {
  const result = work.then(task);
  work = result.catch(() => {});
  return result;
}

/** Opens a student, with what was chosen to run it on. */
function open(newFiles, { timed = true } = {}) {
  return inTurn(async () => {
    const options = {
      accelerator: byId("accelerator").value,
      threads: Number(byId("threads").value),
    };
    // Before the next: another build of the runtime takes all students with it.
    student?.close();
    student = null;
    try {
      student = await Student.open(newFiles, options);
    } catch (error) {
      if (files && files !== newFiles) {
        student = await Student.open(files, { accelerator: "wasm", threads: 1 });
        byId("accelerator").value = "wasm";
        byId("threads").value = 1;
      }
      throw error;
    }
    files = newFiles;
    plan = picturePlan(student.input, student.manifest);
    showMessage("");
    showStudent(student, plan, version);
    showModes();
    await answer();
    if (timed) await time({ budgetMs: FIRST_BUDGET_MS });
  });
}

function showModes() {
  if (!plan) return;
  const canDraw = plan.channels === 1;
  if (!canDraw) mode = "picture";
  byId("modes").hidden = !canDraw;
  byId("invert-row").hidden = !canDraw;
  document.querySelector(`input[name=mode][value=${mode}]`).checked = true;
  byId("draw-panel").hidden = mode !== "draw";
  byId("picture-panel").hidden = mode !== "picture";
  byId("hint").hidden = !!board.ink();
  showExplanation(plan, mode, byId("fit").checked);
}

function currentPixels() {
  if (mode === "draw") {
    const ink = board.ink();
    byId("hint").hidden = !!ink;
    return ink && drawingPixels(ink, plan, byId("fit").checked);
  }
  const isInverted = plan.channels === 1 && byId("invert").checked;
  return picture && picturePixels(picture, plan, isInverted);
}

/** Shows what the student answers to what is on the board, or to the picture. */
async function answer() {
  if (!student || !plan) return;
  const pixels = currentPixels();
  showSeen(pixels, plan);
  const blank = new Float32Array(plan.height * plan.width * plan.channels);
  const output = await student.answer(inputValues(pixels ?? blank, plan));
  showAnswer(classes(output, student.manifest), !pixels);
}

/** Answers with the next frame, once for all that happens until then. */
function answerSoon() {
  if (isAnswerDue) return;
  isAnswerDue = true;
  requestAnimationFrame(() => {
    isAnswerDue = false;
    reported(inTurn(answer));
  });
}

async function time(options) {
  byId("again").disabled = true;
  byId("again").textContent = "Measuring …";
  try {
    const result = await measure(student, options);
    showSpeed(result, student, offered.isIsolated);
    return result;
  } finally {
    byId("again").disabled = false;
    byId("again").textContent = "Measure again";
  }
}

/** Tells the person what went wrong, if it does. */
async function reported(promise) {
  pending.add(promise);
  try {
    await promise;
  } catch (error) {
    showMessage(error.message);
    byId("empty").hidden = !!student;
  } finally {
    pending.delete(promise);
  }
}

async function take(given) {
  const opened = await readStudentFiles(given, files);
  if (opened) return open(opened);
  const chosen = await readPicture(given[0]);
  if (picture) URL.revokeObjectURL(picture.url);
  picture = chosen;
  mode = "picture";
  byId("shown").src = picture.url;
  byId("shown").hidden = false;
  byId("picture-hint").hidden = true;
  if (!student) throw new Error("Open a student first, then give it a picture.");
  showMessage("");
  showModes();
  return inTurn(answer);
}

function choices(select, values, chosen) {
  select.replaceChildren(...values.map(([value, text]) => new Option(text, value)));
  select.value = values.some(([value]) => value === chosen) ? chosen : values[0][0];
}

function listen() {
  const on = (id, type, listener) => byId(id).addEventListener(type, listener);
  for (const id of ["files", "picture"]) {
    on(id, "change", (event) => {
      const given = [...event.target.files];
      event.target.value = "";
      if (given.length) reported(take(given));
    });
  }
  on("modes", "change", (event) => {
    mode = event.target.value;
    showModes();
    answerSoon();
  });
  on("clear", "click", () => {
    board.clear();
    answerSoon();
  });
  on("fit", "change", () => {
    showModes();
    answerSoon();
  });
  on("invert", "change", answerSoon);
  for (const id of ["accelerator", "threads"]) {
    on(id, "change", () => {
      byId("threads").disabled = byId("accelerator").value !== "wasm";
      if (files) reported(open(files));
    });
  }
  on("again", "click", () => reported(inTurn(() => time())));
  listenToDrops();
}

function listenToDrops() {
  const curtain = byId("drop");
  addEventListener("dragover", (event) => {
    event.preventDefault();
    curtain.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) curtain.hidden = true;
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    curtain.hidden = true;
    const given = [...event.dataTransfer.files];
    if (given.length) reported(take(given));
  });
}

function showChoices() {
  const threads = new Set([offered.threads, threadsAsked()]);
  for (let n = 1; n < offered.threads; n *= 2) threads.add(n);
  const numbers = [...threads].sort((a, b) => a - b).map((n) => [String(n), String(n)]);
  choices(byId("threads"), numbers, String(threadsAsked()));
  byId("threads-label").hidden = numbers.length < 2;
  const accelerators = [["wasm", "CPU"], ...(offered.hasGpu ? [["webgpu", "GPU"]] : [])];
  choices(byId("accelerator"), accelerators, asked.get("accelerator"));
  byId("accelerators").hidden = accelerators.length < 2;
}

function threadsAsked() {
  return Math.max(1, Math.min(Math.floor(Number(asked.get("threads"))) || 1, offered.threads));
}

async function start() {
  listen();
  [offered, version] = await Promise.all([abilities(), runtimeVersion()]);
  showChoices();
  const found = await studentAt(asked.get("model") ?? "student.tflite");
  if (found) return open(found, { timed: !asked.has("quiet") });
  byId("empty").hidden = false;
  if (asked.has("model")) throw new Error(`There is no file ${asked.get("model")} here.`);
}

const ready = start();
reported(ready);

// For a program that drives the page, such as drive.mjs.
globalThis.kerasKd = {
  /** Opens the student that the address names; gives what it runs on. */
  async open() {
    await ready;
    if (!student) throw new Error("There is no student beside the page.");
    const { accelerator, threads, initMs, gpu, input, output, sizeBytes } = student;
    const outputKind = student.manifest?.output_kind ?? "unknown";
    return { accelerator, threads, initMs, gpu, input, output, sizeBytes, outputKind, offered };
  },
  /** Times it; see `measure`. */
  measure: (options) => inTurn(() => measure(student, options)),
  /** Waits for all that a person's last step set going. */
  async settled() {
    await new Promise(requestAnimationFrame);
    while (pending.size) await Promise.allSettled(pending);
  },
  /** Its outputs for the golden file at a URL, and those in it, as base64. */
  answerGolden: (url) =>
    inTurn(async () => {
      const buffer = await (await fetch(url)).arrayBuffer();
      const { count, outputs, expected } = await answerGolden(student, buffer);
      return { count, outputs: base64(outputs), expected: base64(expected) };
    }),
};

function base64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
