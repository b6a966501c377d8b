"use strict";

const DAY_MS = 86_400_000;

// The document's example of a day is fixed and would one day be past: it is moved a month ahead.
function withDayAhead(text) {
  const contract = JSON.parse(text);
  const ahead = new Date(Date.now() + 30 * DAY_MS).toISOString().slice(0, 10);
  for (const operation of Object.values(contract.paths).flatMap(Object.values)) {
    for (const parameter of operation.parameters ?? []) {
      if (parameter.name === "departure_date") parameter.example = ahead;
    }
  }
  return JSON.stringify(contract);
}

// The program has both looks and picks neither by itself.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  // The badge of the default would call a host on the Internet.
  validatorUrl: "none",
  presets: [SwaggerUIBundle.presets.apis],
  responseInterceptor: (answer) => {
    if (answer.ok && answer.url.endsWith("/openapi.json")) answer.text = withDayAhead(answer.text);
    return answer;
  },
});
