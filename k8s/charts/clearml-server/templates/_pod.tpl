{{/*
The spec of a server's Pod. Takes: root, component, values (of the component), name (of the program), ports, probe
(name of the port), env, volumes, mounts (YAML texts).
*/}}
{{- define "clearml.pod" -}}
{{- $root := .root -}}
{{- $values := .values -}}
serviceAccountName: {{ include "clearml.serviceAccount" $root }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- include "clearml.placement" . }}
{{- with $values.initContainers }}
initContainers:
  {{- tpl (toYaml .) $root | nindent 2 }}
{{- end }}
containers:
  - name: {{ .name }}
    image: {{ include "clearml.image" (dict "root" $root "image" $values.image) }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    ports:
      {{- .ports | nindent 6 }}
      {{- if $root.Values.metrics.enabled }}
      - { name: metrics, containerPort: 9464 }
      {{- end }}
    env:
      - { name: CLEARML__TELEMETRY__LOG__FORMAT, value: {{ $root.Values.log.format | quote }} }
      - { name: RUST_LOG, value: {{ $root.Values.log.level | quote }} }
      - { name: CLEARML__TELEMETRY__METRICS__ENABLED, value: {{ $root.Values.metrics.enabled | quote }} }
      - { name: CLEARML_CONFIG_DIR, value: "/opt/clearml/config:/opt/clearml/secrets" }
      {{- .env | nindent 6 }}
      {{- with $values.env }}
      {{- tpl (toYaml .) $root | nindent 6 }}
      {{- end }}
    {{- with $values.envFrom }}
    envFrom:
      {{- tpl (toYaml .) $root | nindent 6 }}
    {{- end }}
    startupProbe:
      httpGet: { path: /health, port: {{ .probe }} }
      periodSeconds: 3
      failureThreshold: {{ div $values.startupTimeout 3 }}
    livenessProbe:
      httpGet: { path: /health, port: {{ .probe }} }
      periodSeconds: 15
      timeoutSeconds: 5
      failureThreshold: 4
    readinessProbe:
      httpGet: { path: /ready, port: {{ .probe }} }
      periodSeconds: 5
      timeoutSeconds: 5
    resources:
      {{- toYaml $values.resources | nindent 6 }}
    securityContext:
      {{- toYaml $root.Values.securityContext | nindent 6 }}
    volumeMounts:
      - { name: tmp, mountPath: /tmp }
      {{- if include "clearml.configMap" $root }}
      - { name: config, mountPath: /opt/clearml/config, readOnly: true }
      {{- end }}
      {{- if $root.Values.existingConfigSecret }}
      - { name: config-secret, mountPath: /opt/clearml/secrets, readOnly: true }
      {{- end }}
      {{- with .mounts }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with $values.volumeMounts }}
      {{- tpl (toYaml .) $root | nindent 6 }}
      {{- end }}
  {{- with $values.sidecars }}
  {{- tpl (toYaml .) $root | nindent 2 }}
  {{- end }}
volumes:
  - name: tmp
    emptyDir: { sizeLimit: 512Mi }
  {{- with include "clearml.configMap" $root }}
  - name: config
    configMap:
      name: {{ . }}
      {{- /* Keys hold no slash: services__tasks.conf is services/tasks.conf. */}}
      {{- if not $root.Values.existingConfigMap }}
      items:
        {{- range $file, $content := $root.Values.config }}
        - { key: {{ $file | replace "/" "__" | quote }}, path: {{ $file | quote }} }
        {{- end }}
      {{- end }}
  {{- end }}
  {{- with $root.Values.existingConfigSecret }}
  - name: config-secret
    secret: { secretName: {{ . }} }
  {{- end }}
  {{- with .volumes }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $values.volumes }}
  {{- tpl (toYaml .) $root | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Where Pods go; replicas apart from each other unless told otherwise. */}}
{{- define "clearml.placement" -}}
{{- $selector := include "clearml.selector" . -}}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
affinity:
  {{- if .values.affinity }}
  {{- toYaml .values.affinity | nindent 2 }}
  {{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- $selector | nindent 14 }}
  {{- end }}
topologySpreadConstraints:
  {{- if .values.topologySpreadConstraints }}
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- $selector | nindent 8 }}
  {{- end }}
{{- end -}}

{{/* Annotations of a server's Pods: a change of its configuration restarts them. */}}
{{- define "clearml.podAnnotations" -}}
checksum/config: {{ list .root.Values.config .root.Values.auth .root.Values.secrets | toJson | sha256sum }}
{{- with .values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A variable from the Secret of the server's secrets: (dict "root" "name" "key" "optional") */}}
{{- define "clearml.secretEnv" -}}
- name: {{ .name }}
  valueFrom: { secretKeyRef: { name: {{ include "clearml.secret" .root }}, key: {{ .key }}{{ if .optional }}, optional: true{{ end }} } }
{{- end -}}
