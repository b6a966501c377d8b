"use strict";

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
});
