"use strict";
// Lists the operations of /openapi.json, each with an example body made from the examples in the schemas.

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function example(schema, schemas) {
  if (schema.$ref) return example(schemas[schema.$ref.split("/").pop()], schemas);
  if (schema.examples) return schema.examples[0];
  if ("default" in schema) return schema.default;
  const choice = schema.oneOf ?? schema.anyOf;
  if (choice) return example(choice[0], schemas);
  if (schema.enum) return schema.enum[0];
  if (schema.type === "object") {
    const members = Object.entries(schema.properties ?? {});
    return Object.fromEntries(members.map(([name, member]) => [name, example(member, schemas)]));
  }
  if (schema.type === "array") return [example(schema.items ?? {}, schemas)];
  return { string: "…", integer: 0, boolean: false }[schema.type] ?? null;
}

function bodies(operation, schemas) {
  const content = operation.requestBody?.content ?? {};
  return Object.entries(content).flatMap(([type, { schema }]) => {
    const several = schema?.oneOf ?? (schema ? [schema] : []);
    return several.map((one) => `${type}\n${JSON.stringify(example(one, schemas), null, 2)}`);
  });
}

async function show(target) {
  const { paths, components } = await (await fetch("/openapi.json")).json();
  target.append(element("p", components.securitySchemes.signedRequest.description, "en"));
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const access = operation.security ? "签名请求 · signed" : "公开 · public";
      target.append(element("h2", `${method.toUpperCase()} ${path}`), element("p", operation.description), element("p", access, "en"));
      for (const { name, description } of (operation.parameters ?? []).filter((each) => each.in === "query")) {
        target.append(element("p", `?${name}  ${description ?? ""}`, "en"));
      }
      for (const text of bodies(operation, components.schemas)) target.append(element("pre", text));
    }
  }
}

show(document.getElementById("operations"));
