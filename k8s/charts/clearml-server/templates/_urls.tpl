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
{{- $servers := list (list "web" "webserver") (list "api" "apiserver") (list "files" "fileserver") }}
{{- if .Values.singleHost }}{{ $servers = list (list "web" "webserver") }}{{ end }}
{{- range $servers }}
{{- $component := last . }}
{{- $url := include "clearml.url" (dict "root" $ "server" (first .)) }}
{{- if not $url }}{{ fail "ingress and gateway need `domain`, `singleHost` or all of `urls`" }}{{ end }}
{{- $host := (urlParse $url).host | splitList ":" | first }}
- { host: {{ $host | quote }}, component: {{ $component }}, port: {{ (index $.Values $component).service.port }} }
{{- end }}
{{- end -}}
