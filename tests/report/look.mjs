// Opens pages from disk as a person does, and prints what is then to see:
//   node look.mjs EXPORT_WEB PACKAGES
// reads a plan a line, {file, width, scheme, picture, media}, and answers with one.
import path from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, packages] = process.argv.slice(2);
const { launch } = await import(pathToFileURL(path.join(folder, "drive.mjs")).href);

async function seen() {
  const sources = [...document.querySelectorAll("svg image")].map((one) => one.href.baseVal);
  for (const one of document.images) sources.push(one.src);
  const sizes = [];
  for (const source of sources) {
    const image = new Image();
    image.src = source;
    await image.decode();
    sizes.push([image.naturalWidth, image.naturalHeight]);
  }
  const drawn = [...document.querySelectorAll("figure svg, figure img")];
  const names = [...document.querySelectorAll("[id]")].map((one) => one.id);
  const texts = [...document.querySelectorAll("td, th, p, li, h1, h2, h3")];
  return {
    text: document.body.innerText,
    all: document.body.textContent,
    sizes,
    figures: drawn.map((one) => one.getBoundingClientRect().width),
    twice: names.filter((name, place) => names.indexOf(name) !== place),
    width: document.documentElement.scrollWidth,
    cut: texts.filter((one) => one.getBoundingClientRect().right > innerWidth + 1).length,
    smallest: Math.min(...texts.map((one) => parseFloat(getComputedStyle(one).fontSize))),
    ink: getComputedStyle(document.body).color,
    page: getComputedStyle(document.body).backgroundColor,
    scripts: document.scripts.length,
    isHacked: "hacked" in globalThis,
  };
}

async function looked(browser, { file, width = 1300, scheme = "light", picture, media }) {
  const page = await browser.newPage({
    viewport: { width, height: 900 },
    deviceScaleFactor: picture ? 2 : 1,
    colorScheme: scheme,
  });
  try {
    const errors = [];
    const requests = [];
    page.on("console", (message) => errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("request", (one) => one.url().startsWith("data:") || requests.push(one.url()));
    await page.emulateMedia({ media: media ?? "screen", colorScheme: scheme });
    await page.goto(pathToFileURL(file).href);
    const state = await page.evaluate(seen);
    if (picture) await page.screenshot({ path: picture, fullPage: true });
    return { ...state, errors, requests };
  } finally {
    await page.close();
  }
}

const browser = await launch(packages);
try {
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = await looked(browser, JSON.parse(line)).catch((error) => ({
      failure: error.message,
    }));
    console.log(JSON.stringify(answer));
  }
} finally {
  await browser.close();
}
