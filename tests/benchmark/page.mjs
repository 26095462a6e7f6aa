// Does what a person does on the page of export/web, and prints what is then to see:
//   node page.mjs EXPORT_WEB PACKAGES
// reads a plan a line, {files, isIsolated, url, query, view, steps}, and answers with one.
import path from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, packages] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(path.join(folder, name)).href);
const { serve } = await load("serve.mjs");
const { launch } = await load("drive.mjs");

function seen() {
  const text = (id) => document.getElementById(id).textContent;
  const isShown = (id) => document.getElementById(id).checkVisibility();
  return {
    best: document.querySelector("#best span").textContent,
    labels: [...document.querySelectorAll("#bars .label")].map((one) => one.textContent),
    values: [...document.querySelectorAll("#bars .value")].map((one) => one.textContent),
    message: text("message"),
    name: text("name"),
    p50: text("p50"),
    how: text("how"),
    explained: text("explained"),
    about: text("about"),
    hasBoard: isShown("draw-panel"),
    hasThreads: isShown("threads-label"),
    isEmpty: isShown("empty"),
    isHacked: "hacked" in globalThis,
    width: document.documentElement.scrollWidth,
  };
}

const actions = {
  async draw(page, strokes) {
    const box = await page.locator("#board").boundingBox();
    const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
    for (const [first, ...others] of strokes) {
      await page.mouse.move(...at(first));
      await page.mouse.down();
      for (const point of others) await page.mouse.move(...at(point), { steps: 4 });
      await page.mouse.up();
    }
  },
  click: (page, selector) => page.click(selector),
  check: (page, selector) => page.locator(selector).check({ force: true }),
  picture: (page, file) => page.setInputFiles("#picture", file),
  open: (page, files) => page.setInputFiles("#files", files),
  select: (page, [selector, value]) => page.selectOption(selector, value),
};

async function visited(browser, plan) {
  const { files = {}, isIsolated = true, query = "", view, steps = [] } = plan;
  const server = await serve(files, { packages, isIsolated });
  const page = await browser.newPage({ viewport: view ?? { width: 1100, height: 1000 } });
  try {
    const errors = [];
    const hosts = new Set();
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("request", (request) => hosts.add(new URL(request.url()).hostname));
    await page.goto((plan.url ?? server.url) + query);
    const states = [];
    for (const [action, argument] of [[null], ...steps]) {
      if (action) await actions[action](page, argument);
      // A chosen file reaches the page after the step.
      await new Promise((resume) => setTimeout(resume, 50));
      await page.evaluate(() => kerasKd.settled());
      states.push(await page.evaluate(seen));
    }
    return { states, errors, hosts: [...hosts] };
  } finally {
    await page.close();
    server.close();
  }
}

const browser = await launch(packages);
try {
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = await visited(browser, JSON.parse(line)).catch((error) => ({
      failure: error.message,
    }));
    console.log(JSON.stringify(answer));
  }
} finally {
  await browser.close();
}
