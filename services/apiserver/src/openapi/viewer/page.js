// Shows the document that lies beside this page, which may be behind a proxy with a prefix.
SwaggerUIBundle({
  url: new URL("openapi.json", window.location.href).href,
  dom_id: "#reference",
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
