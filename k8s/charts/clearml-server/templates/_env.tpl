{{/* What the API and the file server share, in every mode. */}}
{{- define "clearml.sharedEnv" -}}
{{ include "clearml.secretEnv" (dict "root" . "name" "CLEARML__SECURE__AUTH__TOKEN_SECRET" "key" "secure_auth_token_secret") }}
{{ include "clearml.secretEnv" (dict "root" . "name" "CLEARML__SECURE__CREDENTIALS__APISERVER__USER_KEY" "key" "apiserver_key") }}
{{ include "clearml.secretEnv" (dict "root" . "name" "CLEARML__SECURE__CREDENTIALS__APISERVER__USER_SECRET" "key" "apiserver_secret") }}
{{ include "clearml.secretEnv" (dict "root" . "name" "CLEARML__SECURE__CREDENTIALS__FILESERVER__USER_KEY" "key" "fileserver_key") }}
{{ include "clearml.secretEnv" (dict "root" . "name" "CLEARML__SECURE__CREDENTIALS__FILESERVER__USER_SECRET" "key" "fileserver_secret") }}
{{- with .Values.auth.cookie.name }}
- { name: CLEARML__APISERVER__AUTH__SESSION_AUTH_COOKIE_NAME, value: {{ . | quote }} }
- { name: CLEARML__FILESERVER__AUTH__COOKIE_NAMES, value: {{ list . | toJson | quote }} }
{{- end }}
{{- end -}}

{{/* The API's own. */}}
{{- define "clearml.apiEnv" -}}
- { name: CLEARML_SERVER_DEPLOYMENT_TYPE, value: helm-cloud }
{{- range $name := list "webserver" "services_agent" }}
{{ include "clearml.secretEnv" (dict "root" $ "name" (printf "CLEARML__SECURE__CREDENTIALS__%s__USER_KEY" (upper $name)) "key" (printf "%s_key" $name) "optional" true) }}
{{ include "clearml.secretEnv" (dict "root" $ "name" (printf "CLEARML__SECURE__CREDENTIALS__%s__USER_SECRET" (upper $name)) "key" (printf "%s_secret" $name) "optional" true) }}
{{- end }}
{{ include "clearml.secretEnv" (dict "root" $ "name" "CLEARML__SECURE__CREDENTIALS__TESTS__USER_KEY" "key" "test_user_key" "optional" true) }}
{{ include "clearml.secretEnv" (dict "root" $ "name" "CLEARML__SECURE__CREDENTIALS__TESTS__USER_SECRET" "key" "test_user_secret" "optional" true) }}
# Signs scroll ids: the same in every replica.
- { name: CLEARML__SERVICES__EVENTS__EVENTS_RETRIEVAL__SCROLL_ID_KEY, value: "scroll-$(CLEARML__SECURE__AUTH__TOKEN_SECRET)" }
{{- with .Values.auth.fixedUsers }}
{{- if .enabled }}
- { name: CLEARML__APISERVER__AUTH__FIXED_USERS__ENABLED, value: "true" }
- name: CLEARML__APISERVER__AUTH__FIXED_USERS__USERS
  valueFrom: { secretKeyRef: { name: {{ default (printf "%s-users" (include "clearml.fullname" $)) .existingSecret }}, key: fixed_users } }
{{- end }}
{{- end }}
{{- $web := include "clearml.url" (dict "root" . "server" "web") }}
{{- if hasPrefix "https://" $web }}
- { name: CLEARML__APISERVER__AUTH__COOKIES__SECURE, value: "true" }
{{- end }}
{{- $cookieDomain := .Values.auth.cookie.domain }}
{{- if and .Values.domain (not .Values.singleHost) (not $cookieDomain) }}
{{- $cookieDomain = printf ".%s" .Values.domain }}
{{- end }}
{{- with $cookieDomain }}
- { name: CLEARML__APISERVER__AUTH__COOKIES__DOMAIN, value: {{ . | quote }} }
{{- end }}
{{- with include "clearml.url" (dict "root" . "server" "files") }}
- { name: CLEARML__SERVICES__ASYNC_URLS_DELETE__FILESERVER__URL_PREFIXES, value: {{ list . | toJson | quote }} }
{{- end }}
{{- end -}}

{{/* The Web-App's. */}}
{{- define "clearml.webEnv" -}}
{{- $api := include "clearml.url" (dict "root" . "server" "api") }}
{{- $files := include "clearml.url" (dict "root" . "server" "files") }}
{{- if and $api $files }}
- { name: WEBSERVER__displayedServerUrls, value: {{ dict "apiServer" $api "filesServer" $files | toJson | quote }} }
{{- end }}
{{- if .Values.singleHost }}
- { name: WEBSERVER__apiBaseUrl, value: '"/api"' }
- { name: WEBSERVER__fileBaseUrl, value: {{ $files | toJson | quote }} }
{{- end }}
{{- range $key, $value := .Values.webserver.configuration }}
- { name: WEBSERVER__{{ $key }}, value: {{ $value | toJson | quote }} }
{{- end }}
{{- end -}}

{{/* Where MongoDB and Elasticsearch are. */}}
{{- define "clearml.storesEnv" -}}
{{- $fullname := include "clearml.fullname" . -}}
{{- if .Values.mongodb.bundled }}
- { name: CLEARML_MONGODB_SERVICE_HOST, value: {{ $fullname }}-mongodb }
- { name: CLEARML_MONGODB_SERVICE_PORT, value: "27017" }
{{- else if .Values.mongodb.external.existingSecret }}
- name: CLEARML_MONGODB_SERVICE_CONNECTION_STRING
  valueFrom: { secretKeyRef: { name: {{ .Values.mongodb.external.existingSecret }}, key: {{ .Values.mongodb.external.existingSecretKey }} } }
{{- else }}
- { name: CLEARML_MONGODB_SERVICE_CONNECTION_STRING, value: {{ required "mongodb.external.connectionString or existingSecret" .Values.mongodb.external.connectionString | quote }} }
{{- end }}
{{- if .Values.elasticsearch.bundled }}
- { name: CLEARML_ELASTIC_SERVICE_HOST, value: {{ $fullname }}-elasticsearch }
- { name: CLEARML_ELASTIC_SERVICE_PORT, value: "9200" }
{{- else }}
{{- $hosts := list }}
{{- range .Values.elasticsearch.external.urls }}
{{- $url := urlParse . }}
{{- $parts := splitList ":" $url.host }}
{{- $port := ternary 443 9200 (eq $url.scheme "https") }}
{{- if gt (len $parts) 1 }}{{ $port = last $parts | int }}{{ end }}
{{- $hosts = append $hosts (dict "host" (first $parts) "port" $port "scheme" $url.scheme) }}
{{- end }}
{{- if not $hosts }}{{ fail "elasticsearch.external.urls is empty" }}{{ end }}
- { name: CLEARML__HOSTS__ELASTIC__EVENTS__HOSTS, value: {{ $hosts | toJson | quote }} }
- { name: CLEARML__HOSTS__ELASTIC__WORKERS__HOSTS, value: {{ $hosts | toJson | quote }} }
{{- with .Values.elasticsearch.external }}
{{- if .username }}
- { name: CLEARML_ELASTIC_SERVICE_USERNAME, value: {{ .username | quote }} }
- name: CLEARML_ELASTIC_SERVICE_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ required "elasticsearch.external.existingSecret" .existingSecret }}, key: {{ .existingSecretKey }} } }
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "clearml.redisEnv" -}}
{{- if .Values.redis.bundled }}
- { name: CLEARML_REDIS_SERVICE_HOST, value: {{ include "clearml.fullname" . }}-redis }
- { name: CLEARML_REDIS_SERVICE_PORT, value: "6379" }
{{- else }}
{{- with .Values.redis.external }}
- { name: CLEARML_REDIS_SERVICE_HOST, value: {{ required "redis.external.host" .host | quote }} }
- { name: CLEARML_REDIS_SERVICE_PORT, value: {{ .port | quote }} }
{{- if .existingSecret }}
- name: CLEARML_REDIS_SERVICE_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ .existingSecret }}, key: {{ .existingSecretKey }} } }
{{- end }}
{{- $options := . }}
{{- range $alias := list "APISERVER" "WORKERS" "FILESERVER" }}
{{- if $options.cluster }}
- { name: CLEARML__HOSTS__REDIS__{{ $alias }}__CLUSTER, value: "true" }
{{- end }}
{{- if $options.tls }}
- { name: CLEARML__HOSTS__REDIS__{{ $alias }}__SSL, value: "true" }
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where files are kept, if not on a volume. */}}
{{- define "clearml.filesEnv" -}}
{{- $storage := .Values.fileserver.storage }}
{{- $key := "CLEARML__FILESERVER__STORAGE" }}
{{- if eq $storage.type "s3" }}
{{- with $storage.s3 }}
- { name: {{ $key }}__URL, value: {{ list "s3:/" (required "fileserver.storage.s3.bucket" .bucket) .prefix | compact | join "/" | quote }} }
- { name: {{ $key }}__S3__VIRTUAL_HOSTED, value: {{ .virtualHosted | quote }} }
{{- if .region }}
- { name: {{ $key }}__S3__REGION, value: {{ .region | quote }} }
{{- end }}
{{- if .endpoint }}
- { name: {{ $key }}__S3__ENDPOINT, value: {{ .endpoint | quote }} }
- { name: {{ $key }}__ALLOW_HTTP, value: {{ hasPrefix "http://" .endpoint | quote }} }
{{- end }}
{{- if .existingSecret }}
- name: {{ $key }}__S3__KEY
  valueFrom: { secretKeyRef: { name: {{ .existingSecret }}, key: access_key_id } }
- name: {{ $key }}__S3__SECRET
  valueFrom: { secretKeyRef: { name: {{ .existingSecret }}, key: secret_access_key } }
{{- end }}
{{- end }}
{{- else if eq $storage.type "gcs" }}
{{- with $storage.gcs }}
- { name: {{ $key }}__URL, value: {{ list "gs:/" (required "fileserver.storage.gcs.bucket" .bucket) .prefix | compact | join "/" | quote }} }
{{- if .existingSecret }}
- { name: {{ $key }}__GOOGLE__CREDENTIALS_JSON, value: /var/run/storage/service_account.json }
{{- end }}
{{- end }}
{{- else if eq $storage.type "azure" }}
{{- with $storage.azure }}
- { name: {{ $key }}__URL, value: {{ list "azure:/" (required "fileserver.storage.azure.account" .account) (required "fileserver.storage.azure.container" .container) .prefix | compact | join "/" | quote }} }
{{- if .endpoint }}
- { name: {{ $key }}__AZURE__ENDPOINT, value: {{ .endpoint | quote }} }
- { name: {{ $key }}__ALLOW_HTTP, value: {{ hasPrefix "http://" .endpoint | quote }} }
{{- end }}
{{- if .existingSecret }}
- name: {{ $key }}__AZURE__ACCOUNT_KEY
  valueFrom: { secretKeyRef: { name: {{ .existingSecret }}, key: account_key } }
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Secret whose file the Google client reads; empty if it needs none. */}}
{{- define "clearml.filesSecret" -}}
{{- with .Values.fileserver.storage }}{{ if eq .type "gcs" }}{{ .gcs.existingSecret }}{{ end }}{{ end -}}
{{- end -}}
