{{/* Parts of pods that several of them have. */}}

{{/* The restricted Pod Security Standard, and an identity that the images bring along. Takes the user. */}}
{{- define "plura.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "plura.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* A container of plura: its image, what it may, and what it sees. */}}
{{- define "plura.container" -}}
image: {{ include "plura.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- include "plura.containerSecurity" . | nindent 2 }}
env:
  - name: PLURA_CONFIG
    value: /etc/plura/plura.toml
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumeMounts:
  - name: settings
    mountPath: /etc/plura
    readOnly: true
  - name: data
    mountPath: /var/lib/plura
  - name: tmp
    mountPath: /tmp
  {{- range $name, $_ := fromYaml (include "plura.secrets" .) }}
  - name: secret-{{ $name }}
    mountPath: /run/secrets/plura/{{ $name }}
    readOnly: true
  {{- end }}
{{- end -}}

{{/* Every secret that is mounted, by the name of its directory: the secret's name and, unless all of its
     keys are wanted, the files by key. */}}
{{- define "plura.secrets" -}}
{{- $database := .Values.database -}}
{{- $s3 := .Values.storage.s3 -}}
{{- if and (ne $database.kind "embedded") $database.existingSecret }}
database:
  secretName: {{ $database.existingSecret }}
  files: { {{ $database.passwordKey | quote }}: password }
{{- end }}
{{- if and (eq $database.kind "external") $database.external.caSecret }}
database-ca:
  secretName: {{ $database.external.caSecret }}
  files: { {{ $database.external.caKey | quote }}: ca.crt }
{{- end }}
{{- if and (ne .Values.storage.kind "embedded") $s3.existingSecret }}
s3:
  secretName: {{ $s3.existingSecret }}
  files: { {{ $s3.accessKeyKey | quote }}: access_key, {{ $s3.secretKeyKey | quote }}: secret_key }
{{- end }}
{{- if and (eq .Values.storage.kind "external") $s3.caSecret }}
s3-ca:
  secretName: {{ $s3.caSecret }}
  files: { {{ $s3.caKey | quote }}: ca.crt }
{{- end }}
{{- if .Values.tls.existingSecret }}
tls:
  secretName: {{ .Values.tls.existingSecret }}
{{- end }}
{{- if .Values.administrator.existingSecret }}
administrator:
  secretName: {{ .Values.administrator.existingSecret }}
  files: { {{ .Values.administrator.passwordKey | quote }}: password }
{{- end }}
{{- range .Values.secretMounts }}
{{ .name }}:
  secretName: {{ .secretName }}
{{- end }}
{{- end -}}
