{{- define "clearml.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "clearml.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains "clearml" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-clearml" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels of an object: (dict "root" $ "component" "apiserver") */}}
{{- define "clearml.labels" -}}
{{ include "clearml.selector" . }}
app.kubernetes.io/part-of: clearml
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | quote }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "clearml.selector" -}}
app.kubernetes.io/name: {{ include "clearml.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* metadata of an object; "name": what follows the full name */}}
{{- define "clearml.metadata" -}}
name: {{ include "clearml.fullname" .root }}{{ with .name }}-{{ . }}{{ end }}
labels:
  {{- include "clearml.labels" . | nindent 2 }}
{{- $annotations := merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "clearml.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "clearml.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "clearml.secret" -}}
{{- default (printf "%s-secrets" (include "clearml.fullname" .)) .Values.secrets.existingSecret -}}
{{- end -}}

{{- define "clearml.configMap" -}}
{{- if .Values.existingConfigMap -}}
{{- .Values.existingConfigMap -}}
{{- else if .Values.config -}}
{{- printf "%s-config" (include "clearml.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "clearml.isCluster" -}}
{{- if eq .Values.mode "cluster" }}true{{ end -}}
{{- end -}}

{{/* Where the API's port, and so on, can be found: component of the Pods behind a server's Service */}}
{{- define "clearml.pods" -}}
{{- if eq .root.Values.mode "embedded" }}server{{ else }}{{ .component }}{{ end -}}
{{- end -}}

{{- define "clearml.image" -}}
{{- $image := .image -}}
{{- with .root.Values.image.registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{ $image.repository }}:{{ coalesce $image.tag .root.Values.image.tag .root.Chart.AppVersion }}
{{- end -}}
