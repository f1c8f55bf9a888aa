// Keeps what stands in #live as the gateway says it, once a second. Without this script the page still says it all.
"use strict";

const live = document.getElementById("live");
const lost = document.getElementById("lost");
const LOST_AFTER_MS = 20000; // the gateway says something each 15 s at least
const BROKEN_FOR_MS = 5000; // a connection that has ended, as each does after a while, is up again in 3 s

// Makes `old` like `fresh` by changing as little as can be: what somebody is clicking on or reading stays the same element.
function settle(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.nodeType === Node.ELEMENT_NODE) {
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  children(old, fresh);
}

function children(old, fresh) {
  const wanted = [...fresh.childNodes];
  const there = [...old.childNodes];
  wanted.forEach((node, at) => (at < there.length ? settle(there[at], node) : old.append(node)));
  there.slice(wanted.length).forEach((node) => node.remove());
}

function isLost(now) {
  if (lost.hidden !== !now) lost.hidden = !now;
  document.body.classList.toggle("lost", now);
}

function listen() {
  let silence;
  let broken = false;
  const within = (ms) => {
    clearTimeout(silence);
    silence = setTimeout(() => isLost(true), ms);
  };
  const heard = () => {
    broken = false;
    within(LOST_AFTER_MS);
    isLost(false);
  };
  const source = new EventSource(live.dataset.live);
  source.onopen = heard;
  source.onmessage = (message) => {
    heard();
    for (const [id, text] of Object.entries(JSON.parse(message.data))) {
      const template = document.createElement("template");
      template.innerHTML = text;
      const place = document.getElementById(id);
      if (place) children(place, template.content);
    }
    // The gateway was not at work when this page was loaded: now there is more to show than what lives.
    if (live.dataset.waits !== undefined && document.querySelector("#shedding .banner")) location.reload();
  };
  source.addEventListener("alive", heard);
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) {
      if (!broken) within(BROKEN_FOR_MS);
      broken = true;
      return;
    }
    // Refused (too many watch, or nobody is logged in any more): the browser does not try again by itself.
    clearTimeout(silence);
    isLost(true);
    setTimeout(listen, 30000);
  };
  within(LOST_AFTER_MS);
}

if (live) listen();
