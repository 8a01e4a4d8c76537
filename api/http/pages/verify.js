"use strict";
// Sends the bundle, and the digests of a file computed here, to POST /v1/verify and shows the report facet by facet.

const FACETS = {
  integrity: "完整性", signature: "签名", issuer: "颁发机构", inclusion: "日志收录", checkpoint: "日志检查点",
  witness: "见证签名", anchor: "上链锚定", timestamp: "时间戳", validity: "有效期", status: "证照状态", grant: "授权", file: "文件",
};
const VERDICTS = {
  "valid": "通过", "invalid": "不通过", "undetermined": "无法判定", "not checked": "未检查",
};

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function row(...cells) {
  const made = element("tr");
  made.append(...cells);
  return made;
}

function time(seconds) {
  return seconds === null ? "—" : new Date(seconds * 1000).toLocaleString("zh-CN", { timeZoneName: "short" });
}

function showReport(target, report) {
  const whole = element("p", `结论：${VERDICTS[report.verdict]} · ${report.verdict}`, `whole ${report.verdict}`);
  const facets = element("table");
  for (const [name, zh] of Object.entries(FACETS)) {
    const { verdict, code, detail } = report.facets[name];
    const answer = element("td", `${VERDICTS[verdict]} · ${verdict}`, verdict);
    const reason = element("td");
    if (verdict !== "not checked") reason.append(element("code", code), element("div", detail, "en"));
    facets.append(row(element("th", `${zh} · ${name}`), answer, reason));
  }
  const facts = element("table");
  for (const [label, value] of [
    ["材料标识 · material", report.material_id ?? "—"],
    ["颁发机构 · issuer", report.issuer ?? "—"],
    ["判定时间 · as of", time(report.as_of)],
    ["状态列表时间 · status as of", time(report.status_as_of)],
    ["上链时间 · anchored at", time(report.anchored_at)],
    ["锚定等级 · grade", report.grade ?? "—"],
    ["时间戳时间 · time-stamped at", time(report.timestamped_at)],
  ]) facts.append(row(element("th", label), element("td", value)));
  target.replaceChildren(element("h2", "核验报告 · Report"), whole, facets, facts);
}

function showProblem(target, title, detail) {
  target.replaceChildren(element("p", title, "whole undetermined"), element("p", detail, "en"));
}

async function verify(target, bundle, file, profiles) {
  let body = bundle, type = "application/vnd.ematerials.bundle+json";
  if (file) {
    const digests = fileDigests(new Uint8Array(await file.arrayBuffer()));
    body = JSON.stringify({ bundle: await bundle.text(), file: digests });
    type = "application/json";
  }
  const query = new URLSearchParams(profiles.map((profile) => ["profile", profile]));
  const answer = await fetch(`/v1/verify?${query}`, { method: "POST", body, headers: { "Content-Type": type } });
  const value = await answer.json();
  if (answer.ok) showReport(target, value);
  else showProblem(target, value.title, `${value.code}: ${value.detail}`);
}

document.getElementById("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const target = document.getElementById("report");
  const [bundle, file] = ["bundle", "file"].map((id) => document.getElementById(id).files[0]);
  const profiles = [...document.querySelectorAll("input[name=profile]:checked")].map((box) => box.value);
  target.replaceChildren(element("p", "正在核验… · Verifying…"));
  try {
    await verify(target, bundle, file, profiles);
  } catch (error) {
    showProblem(target, "未得到回答：这不表示核验不通过。 · No answer: this does not mean that it is invalid.", String(error));
  }
});
