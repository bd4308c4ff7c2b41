{{/* What no schema can say: values that contradict each other. Each message says what to do. */}}

{{- define "plura.check" -}}
{{- include "plura.check.replicas" . -}}
{{- include "plura.check.database" . -}}
{{- include "plura.check.storage" . -}}
{{- include "plura.check.config" . -}}
{{- include "plura.check.routes" . -}}
{{- end -}}

{{- define "plura.check.replicas" -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- range $store := list "database" "storage" -}}
{{- if eq (get $.Values $store).kind "embedded" -}}
{{- fail (printf "replicas is %d, but %s.kind is embedded: what is embedded belongs to one process. Set %s.kind to external or bundled, or replicas to 1." (int $.Values.replicas) $store $store) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "plura.check.database" -}}
{{- with .Values.database -}}
{{- if and (eq .kind "external") (not .external.url) -}}
{{- fail "database.kind is external, but database.external.url is not set." -}}
{{- end -}}
{{- if regexMatch "^[a-z]+://[^/@]*:[^/@]*@" .external.url -}}
{{- fail "database.external.url has a password in it, which would land in a ConfigMap: put it into a secret and name that in database.existingSecret." -}}
{{- end -}}
{{- if and (eq .kind "bundled") (not .existingSecret) -}}
{{- fail (printf "database.kind is bundled, but database.existingSecret is not set: make a secret with the key %s, the password that the database gets." .passwordKey) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "plura.check.storage" -}}
{{- with .Values.storage -}}
{{- if and (eq .kind "bundled") (not .s3.existingSecret) -}}
{{- fail (printf "storage.kind is bundled, but storage.s3.existingSecret is not set: make a secret with the keys %s, %s and %s." .s3.accessKeyKey .s3.secretKeyKey .bundled.rpcSecretKey) -}}
{{- end -}}
{{- if and (eq .kind "external") (hasPrefix "http://" .s3.endpoint) (not .s3.allowHttp) -}}
{{- fail "storage.s3.endpoint is http://, which shows every blob to the network: use https://, or set storage.s3.allowHttp to true." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A setting has one place, so that what the chart knows of it stays true. */}}
{{- define "plura.check.config" -}}
{{- $elsewhere := dict
    "data" "persistence"
    "database" "database"
    "storage" "storage"
    "server.listen" "service.port"
    "server.public_url" "publicUrl"
    "server.trusted_proxies" "trustedProxies"
    "server.drain_timeout" "drainSeconds"
    "server.tls.certificate" "tls.existingSecret"
    "server.tls.key" "tls.existingSecret" -}}
{{- range $path, $value := $elsewhere -}}
{{- $here := $.Values.config -}}
{{- $found := true -}}
{{- range $part := splitList "." $path -}}
{{- if and $found (kindIs "map" $here) (hasKey $here $part) -}}
{{- $here = get $here $part -}}
{{- else -}}
{{- $found = false -}}
{{- end -}}
{{- end -}}
{{- if $found -}}
{{- fail (printf "config.%s is set by the value %s: set that instead." $path $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "plura.check.routes" -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress.enabled is true, but ingress.host is not set." -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) -}}
{{- fail "gateway.enabled is true, but gateway.parentRefs is empty: name the gateway that the route belongs to." -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.serviceMonitor.basicAuthSecret) (not (dig "access" "anonymous_metrics" false .Values.config)) -}}
{{- fail "serviceMonitor.enabled is true, but Prometheus could not log in: set serviceMonitor.basicAuthSecret, or config.access.anonymous_metrics to true." -}}
{{- end -}}
{{- end -}}
