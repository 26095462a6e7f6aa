// Files that a person gives the page, or that lie beside it.

const MOST_PIXELS = 1024;

/** The student at an address of this site, or null if there is none. */
export async function studentAt(address) {
  const url = new URL(address, document.baseURI);
  if (url.origin !== location.origin) {
    throw new Error("This page loads its own site's files only. Drop the student here instead.");
  }
  const response = await fetch(url);
  if (!response.ok) return null;
  const bytes = new Uint8Array(await response.arrayBuffer());
  const beside = await fetch(new URL(url.pathname.replace(/\.tflite$/, "") + ".json", url));
  const name = decodeURIComponent(url.pathname.split("/").at(-1));
  const manifest = beside.ok ? parsed(await beside.text(), "The student's .json") : null;
  return checked({ name: manifest?.file ?? name, bytes, manifest });
}

/**
 * The student among files, or null if there is none.
 *
 * A manifest alone goes with the student that is open already.
 */
export async function readStudentFiles(given, opened) {
  const tflite = given.find((file) => /\.(tflite|litert)$/i.test(file.name));
  const json = given.find((file) => /\.json$/i.test(file.name));
  if (!tflite && !json) return null;
  if (!tflite && !opened) throw new Error("Open the .tflite too, together with its .json.");
  const manifest = json ? parsed(await json.text(), json.name) : null;
  const name = tflite?.name ?? opened.name;
  const bytes = tflite ? new Uint8Array(await tflite.arrayBuffer()) : opened.bytes;
  return checked({ name, bytes, manifest });
}

/** A picture's pixels, at most 1024 a side, and an address to show it from. */
export async function readPicture(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name} is not a picture that this browser can read.`);
  }
  const scale = Math.min(1, MOST_PIXELS / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  // What is transparent is white, as on most pages.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
  return { data, width, height, url: URL.createObjectURL(file) };
}

function parsed(text, name) {
  let manifest;
  try {
    manifest = JSON.parse(text);
  } catch {
    throw new Error(`${name} is not JSON.`);
  }
  const labels = manifest?.labels ?? null;
  if (!manifest?.input || !(labels === null || Array.isArray(labels))) {
    throw new Error(`${name} is not the manifest of a student.`);
  }
  return { ...manifest, labels: labels?.map(String) ?? null };
}

/** Raises unless a manifest belongs to its file. */
async function checked(files) {
  const expected = files.manifest?.sha256;
  // Only pages from https or from this machine may compute hashes.
  if (!expected || !globalThis.crypto?.subtle) return files;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", files.bytes));
  const actual = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (actual === expected) return files;
  throw new Error(
    `The .json tells of another file than ${files.name}. Open the two that were made together.`,
  );
}
