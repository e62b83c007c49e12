// Returns what is wrong with the page's looks, as a list of texts.
(() => {
  const wrong = [];
  const say = (element, what) => {
    const text = (element.textContent || element.name || "").trim().slice(0, 30);
    wrong.push(`${element.tagName.toLowerCase()}.${element.className} "${text}": ${what}`);
  };
  const root = document.scrollingElement;
  if (root.scrollWidth > innerWidth) {
    wrong.push(`scrolls sideways: ${root.scrollWidth} of ${innerWidth} pixels`);
  }
  if (document.documentElement.lang !== "en") wrong.push("no language");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  if (!document.title) wrong.push("no title");

  // Colours are compared by the formula of WCAG 2.
  const parse = (colour) => {
    const found = /^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/.exec(colour);
    if (!found) throw new Error(`cannot parse the colour ${colour}`);
    return [+found[1], +found[2], +found[3], found[4] === undefined ? 1 : +found[4]];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((c) => {
      c /= 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const background = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.backgroundImage !== "none") throw new Error("a background image cannot be measured");
      if (style.opacity !== "1") throw new Error(`${e.className}: opacity cannot be measured`);
      const colour = parse(style.backgroundColor);
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    if (layers.at(-1)[3] !== 1) throw new Error("the page has no background");
    return layers.reduceRight((below, top) => over(top, below));
  };
  const visible = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && box.right > 0 && element.checkVisibility({ visibilityProperty: true });
  };
  const needs = (style) => {
    const size = parseFloat(style.fontSize);
    return size >= 24 || (size >= 18.66 && +style.fontWeight >= 700) ? 3 : 4.5;
  };
  const measure = (element, style, behind) => {
    const ratio = contrast(over(parse(style.color), behind), behind);
    measured++;
    if (ratio < needs(style)) say(element, `contrast ${ratio.toFixed(2)} of ${style.color} on ${behind.slice(0, 3)}`);
  };

  let measured = 0;
  document.getAnimations().forEach((animation) => animation.finish());
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (texts.currentNode.data.trim() && !["SCRIPT", "NOSCRIPT", "STYLE"].includes(element.tagName) && visible(element)) {
      measure(element, getComputedStyle(element), background(element));
    }
  }
  for (const element of document.querySelectorAll("*")) {
    const mark = getComputedStyle(element, "::before");
    if (/^".+"$/.test(mark.content) && visible(element)) {
      const own = parse(mark.backgroundColor);
      measure(element, mark, over(own, background(element)));
    }
  }
  for (const input of document.querySelectorAll("input:not([type=hidden])")) {
    const style = getComputedStyle(input);
    if (input.type !== "checkbox") {
      measure(input, style, background(input));
      if (contrast(parse(style.borderTopColor), background(input.parentElement)) < 3) say(input, "the border is too pale");
    }
    if (!input.labels.length) say(input, "no label");
    const error = input.getAttribute("aria-describedby");
    if (error && !document.getElementById(error)) say(input, "its error is not there");
  }
  for (const control of document.querySelectorAll("a, button, input:not([type=hidden])")) {
    const area = control.type === "checkbox" ? control.closest("label") : control;
    const box = area.getBoundingClientRect();
    // Links within a sentence are as high as the line (WCAG 2.2, 2.5.8).
    if (visible(control) && !control.closest("p") && Math.min(box.width, box.height) < 24) say(control, "too small to hit");
  }
  if (!measured) wrong.push("no text was found");
  return wrong;
})()
