{{/* What would not start, or not be safe, is refused here. Takes (list root described). */}}
{{- define "interline.check" -}}
{{- $root := first . -}}
{{- $described := last . -}}
{{- $values := $root.Values -}}
{{- $production := eq $values.profile "production" -}}
{{- $byName := dict -}}
{{- range $described }}{{ $_ := set $byName .name . }}{{ end -}}
{{- range $name, $own := $values.services -}}
{{- $service := get $byName $name -}}
{{- if not $service -}}
{{- fail (printf "services.%s: there is no such service; there are %s" $name (keys $byName | sortAlpha | join ", ")) -}}
{{- end -}}
{{- $given := dict -}}
{{- include "interline.flatten" (list "" (dig "config" dict $own | default dict) $given) -}}
{{- range $key, $value := $given -}}
{{- if and (has $key $service.secrets) (ne (toString $value) "") -}}
{{- fail (printf "services.%s.config.%s is a secret: name the Secret that holds it under services.%s.secrets" $name $key $name) -}}
{{- end -}}
{{- end -}}
{{- if get $given "http.tls_certificate" -}}
{{- fail (printf "services.%s.config.http.tls_certificate: the chart's probes and services speak HTTP; end TLS at the ingress" $name) -}}
{{- end -}}
{{- range $key, $from := dig "secrets" dict $own | default dict -}}
{{- if not (has $key $service.secrets) -}}
{{- fail (printf "services.%s.secrets.%s is not a secret of this service; they are %s" $name $key (join ", " $service.secrets)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $given := dict -}}
{{- include "interline.flatten" (list "" $values.config $given) -}}
{{- range $key, $value := $given -}}
{{- if has $key (first $described).secrets -}}
{{- fail (printf "config.%s is a secret: use keys.secret, store.secret or cache.secret" $key) -}}
{{- end -}}
{{- if has $key (list "profile" "data_dir" "listen.port") -}}
{{- fail (printf "config.%s: the chart sets it" $key) -}}
{{- end -}}
{{- end -}}
{{- if not $values.store.secret -}}
{{- range $described -}}
{{- $own := mergeOverwrite (deepCopy $values.defaults) (dig .name dict $values.services | default dict) -}}
{{- if and .inner (or (gt (int $own.replicas) 1) $own.autoscaling.enabled) -}}
{{- fail (printf "store.secret is empty, so %s keeps a SQLite file and can have one replica only" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $production -}}
{{- range $name := list "keys" "store" -}}
{{- if not (get (get $values $name) "secret") -}}
{{- fail (printf "%s.secret is empty: production takes no key or store that was made for development; name the Secret" $name) -}}
{{- end -}}
{{- end -}}
{{- if $values.sandbox.enabled -}}
{{- fail "sandbox.enabled: the sandbox simulates suppliers and has no place in production" -}}
{{- end -}}
{{- if not (hasPrefix "https://" $values.publicUrl) -}}
{{- fail "publicUrl: production wants https://, for access tokens and passwords pass there" -}}
{{- end -}}
{{- if not (or $values.auditHeads.claim $values.auditHeads.ephemeral) -}}
{{- fail "auditHeads.claim is empty: name a PersistentVolumeClaim for the signed heads of the audit log, or set auditHeads.ephemeral" -}}
{{- end -}}
{{- end -}}
{{- if not $values.sandbox.enabled -}}
{{- range $service := $described -}}
{{- $given := dict -}}
{{- include "interline.flatten" (list "" (dig $service.name "config" dict $values.services | default dict) $given) -}}
{{- range .addresses -}}
{{- if eq .service "sandbox" -}}
{{- $switch := regexReplaceAll "[^.]+$" .key "enabled" -}}
{{- $off := and (hasKey $given $switch) (not (get $given $switch)) -}}
{{- if not (or $off (get $given .key)) -}}
{{- fail (printf "services.%s.config.%s is not set, and there is no sandbox: give the address, or switch it off with %s, if that key exists" $service.name .key $switch) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
