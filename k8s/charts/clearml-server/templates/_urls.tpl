{{/* Addresses as clients know them; empty where nothing says. */}}
{{- define "clearml.hasTls" -}}
{{- if or (and .Values.ingress.enabled .Values.ingress.tls.enabled) (and .Values.gateway.enabled .Values.gateway.tls) (hasPrefix "https://" .Values.urls.web) }}true{{ end -}}
{{- end -}}

{{- define "clearml.scheme" -}}
http{{ if include "clearml.hasTls" . }}s{{ end }}
{{- end -}}

{{- define "clearml.url" -}}
{{- $root := .root -}}
{{- $own := index $root.Values.urls .server -}}
{{- if $own -}}
{{- trimSuffix "/" $own -}}
{{- else if $root.Values.singleHost -}}
{{- $path := get (dict "web" "" "api" "/api" "files" "/files") .server -}}
{{- printf "%s://%s%s" (include "clearml.scheme" $root) $root.Values.singleHost $path -}}
{{- else if $root.Values.domain -}}
{{- $prefix := get (dict "web" "app" "api" "api" "files" "files") .server -}}
{{- printf "%s://%s.%s" (include "clearml.scheme" $root) $prefix $root.Values.domain -}}
{{- end -}}
{{- end -}}

{{/* Hosts that ingress and gateway serve: list of host, component, port */}}
{{- define "clearml.hosts" -}}
{{- if .Values.singleHost }}
- { host: {{ .Values.singleHost | quote }}, component: webserver, port: {{ .Values.webserver.service.port }} }
{{- else if .Values.domain }}
- { host: {{ printf "app.%s" .Values.domain | quote }}, component: webserver, port: {{ .Values.webserver.service.port }} }
- { host: {{ printf "api.%s" .Values.domain | quote }}, component: apiserver, port: {{ .Values.apiserver.service.port }} }
- { host: {{ printf "files.%s" .Values.domain | quote }}, component: fileserver, port: {{ .Values.fileserver.service.port }} }
{{- else }}
{{- fail "ingress and gateway need `domain` or `singleHost`" }}
{{- end }}
{{- end -}}
