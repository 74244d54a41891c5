{{/* The volume of a StatefulSet. */}}
{{- define "clearml.claim" -}}
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata:
    name: data
  spec:
    accessModes:
      {{- toYaml .accessModes | nindent 6 }}
    {{- with .storageClassName }}
    storageClassName: {{ . }}
    {{- end }}
    resources: { requests: { storage: {{ .size }} } }
{{- end -}}

{{/*
A bundled store: a headless Service and a StatefulSet of one. Takes: root, component, values, port, env, args, probes,
mounts, volumes, init, podSecurity (YAML texts).
*/}}
{{- define "clearml.store" -}}
{{- $root := .root }}
{{- $values := .values }}
apiVersion: v1
kind: Service
metadata:
  {{- include "clearml.metadata" . | nindent 2 }}
spec:
  clusterIP: None
  selector:
    {{- include "clearml.selector" . | nindent 4 }}
  ports:
    - { name: {{ .component }}, port: {{ .port }}, targetPort: store }
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "clearml.metadata" . | nindent 2 }}
spec:
  replicas: 1
  serviceName: {{ include "clearml.fullname" $root }}-{{ .component }}
  selector:
    matchLabels:
      {{- include "clearml.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "clearml.labels" . | nindent 8 }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 120
      {{- with $root.Values.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      securityContext:
        {{- toYaml $root.Values.podSecurityContext | nindent 8 }}
        {{- with .podSecurity }}
        {{- . | nindent 8 }}
        {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .init }}
      initContainers:
        {{- . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ $values.image }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          {{- with .args }}
          args: {{ . }}
          {{- end }}
          ports:
            - { name: store, containerPort: {{ .port }} }
          {{- with .env }}
          env:
            {{- . | nindent 12 }}
          {{- end }}
          {{- .probes | nindent 10 }}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            {{- toYaml $root.Values.securityContext | nindent 12 }}
          volumeMounts:
            - { name: tmp, mountPath: /tmp }
            {{- .mounts | nindent 12 }}
      volumes:
        - name: tmp
          emptyDir: { sizeLimit: 512Mi }
        {{- with .volumes }}
        {{- . | nindent 8 }}
        {{- end }}
  volumeClaimTemplates:
    {{- include "clearml.claim" $values.persistence | nindent 4 }}
{{- end -}}
