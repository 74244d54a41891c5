# All images for amd64 and arm64:
#   docker buildx bake -f docker/docker-bake.hcl --push --set '*.platform=linux/amd64,linux/arm64'
# REGISTRY is put before the names, as in registry.example.com/clearml/
variable "REGISTRY" { default = "" }
variable "VERSION" { default = "0.1.0" }
variable "COMMIT" { default = "" }
variable "CREATED" { default = "" }

group "default" {
  targets = ["apiserver", "fileserver", "webserver", "server"]
}

target "image" {
  name       = item
  matrix     = { item = ["apiserver", "fileserver", "webserver", "server", "drop-in"] }
  context    = "."
  dockerfile = "docker/Dockerfile"
  target     = item
  tags       = ["${REGISTRY}clearml-${item}:${VERSION}"]
  args       = { VERSION = VERSION, COMMIT = COMMIT, CREATED = CREATED }
}
