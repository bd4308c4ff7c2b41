{{/* plura.toml, made from values. */}}

{{- define "plura.shared" -}}
{{- if and (ne .Values.database.kind "embedded") (ne .Values.storage.kind "embedded") -}}true{{- end -}}
{{- end -}}

{{/* The settings as a tree, in YAML. */}}
{{- define "plura.settings" -}}
data: /var/lib/plura
server:
  listen: "0.0.0.0:{{ include "plura.port" . }}"
  drain_timeout: {{ printf "%ds" (int .Values.drainSeconds) }}
  {{- with include "plura.publicUrl" . }}
  public_url: {{ . | quote }}
  {{- end }}
  {{- with .Values.trustedProxies }}
  trusted_proxies: {{ toJson . }}
  {{- end }}
  {{- if .Values.tls.existingSecret }}
  tls:
    certificate: /run/secrets/plura/tls/tls.crt
    key: /run/secrets/plura/tls/tls.key
  {{- end }}
{{- if ne .Values.database.kind "embedded" }}
database:
  {{- if eq .Values.database.kind "bundled" }}
  url: postgres://plura@{{ include "plura.fullname" . }}-postgresql:5432/plura
  {{- else }}
  url: {{ .Values.database.external.url | quote }}
  {{- end }}
  {{- if .Values.database.existingSecret }}
  password_file: /run/secrets/plura/database/password
  {{- end }}
  {{- if and (eq .Values.database.kind "external") .Values.database.external.caSecret }}
  ca_file: /run/secrets/plura/database-ca/ca.crt
  {{- end }}
  max_connections: {{ int .Values.database.maxConnections }}
{{- end }}
{{- if ne .Values.storage.kind "embedded" }}
storage:
  backend: s3
  s3:
    {{- include "plura.settings.s3" . | nindent 4 }}
  redirect:
    {{- if eq .Values.storage.kind "bundled" }}
    # Its address is known in the cluster only.
    enabled: false
    {{- else }}
    enabled: {{ .Values.storage.redirect.enabled }}
    {{- with .Values.storage.redirect.endpoint }}
    endpoint: {{ . | quote }}
    {{- end }}
    expires: {{ .Values.storage.redirect.expires }}
    {{- with .Values.storage.redirect.streamTo }}
    stream_to: {{ toJson . }}
    {{- end }}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "plura.settings.s3" -}}
{{- with .Values.storage.s3 -}}
{{- if eq $.Values.storage.kind "bundled" -}}
endpoint: http://{{ include "plura.fullname" $ }}-garage:3900
region: garage
path_style: true
allow_http: true
{{- else -}}
region: {{ .region | quote }}
{{- if .endpoint }}
endpoint: {{ .endpoint | quote }}
{{- end }}
{{- if not (kindIs "invalid" .pathStyle) }}
path_style: {{ .pathStyle }}
{{- end }}
allow_http: {{ .allowHttp }}
encryption: {{ .encryption }}
{{- if .encryptionKey }}
encryption_key: {{ .encryptionKey | quote }}
{{- end }}
{{- if .storageClass }}
storage_class: {{ .storageClass | quote }}
{{- end }}
{{- if .caSecret }}
ca_file: /run/secrets/plura/s3-ca/ca.crt
{{- end }}
{{- end }}
bucket: {{ .bucket | quote }}
{{- if .prefix }}
prefix: {{ .prefix | quote }}
{{- end }}
{{- if .existingSecret }}
access_key_file: /run/secrets/plura/s3/access_key
secret_key_file: /run/secrets/plura/s3/secret_key
{{- end }}
part_size: {{ .partSize }}
uniform_parts: {{ .uniformParts }}
parts_in_flight: {{ int .partsInFlight }}
upload_memory: {{ .uploadMemory }}
{{- end -}}
{{- end -}}

{{- define "plura.port" -}}5000{{- end -}}

{{- define "plura.toml" -}}
{{- $settings := mergeOverwrite (deepCopy .Values.config) (fromYaml (include "plura.settings" .)) -}}
{{- include "plura.toml.table" (dict "path" "" "table" $settings) -}}
{{- end -}}

{{/* A table and those below it. Plain keys come first, as TOML wants it. */}}
{{- define "plura.toml.table" -}}
{{- $path := .path -}}
{{- $table := .table -}}
{{- $plain := list -}}
{{- range $key, $value := $table -}}
{{- if not (or (kindIs "map" $value) (kindIs "invalid" $value)) -}}
{{- $plain = append $plain (printf "%s = %s" $key (include "plura.toml.value" $value)) -}}
{{- end -}}
{{- end -}}
{{- if and $path $plain }}
[{{ $path }}]
{{ end -}}
{{- range $plain }}
{{- . }}
{{ end -}}
{{- range $key, $value := $table -}}
{{- if kindIs "map" $value -}}
{{- include "plura.toml.table" (dict "path" (ternary (printf "%s.%s" $path $key) $key (ne $path "")) "table" $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Numbers of values are floating-point; those of settings are whole. */}}
{{- define "plura.toml.value" -}}
{{- if kindIs "slice" . -}}
{{- $items := list -}}
{{- range . -}}{{- $items = append $items (include "plura.toml.value" .) -}}{{- end -}}
[{{ join ", " $items }}]
{{- else if kindIs "float64" . -}}
{{- if eq (floor .) . -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end -}}
