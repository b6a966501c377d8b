{{/*
The services that are deployed, as JSON {"services": […]}: what services.yaml says of each, with the
values of `defaults` and of its own entry, and `configuration`, the flat keys of its file. Everything else
in the chart ranges over this list.
*/}}
{{- define "interline.services" -}}
{{- $root := . -}}
{{- $described := ($root.Files.Get "services.yaml" | fromYaml).services -}}
{{- include "interline.check" (list $root $described) -}}
{{- $ports := dict -}}
{{- range $described }}{{ $_ := set $ports .name .port }}{{ end -}}
{{- $all := list -}}
{{- range $service := $described -}}
{{- if or $root.Values.sandbox.enabled (ne .name "sandbox") -}}
{{- $own := dig .name dict $root.Values.services | default dict -}}
{{- $values := mergeOverwrite (deepCopy $root.Values.defaults) (omit $own "config" "secrets") -}}
{{- if eq .name "sandbox" -}}
{{- /* Its inventory and journal are one process's. */ -}}
{{- $values = mergeOverwrite $values (dict "replicas" 1 "autoscaling" (dict "enabled" false)) -}}
{{- end -}}
{{- $merged := merge (deepCopy $service) $values -}}
{{- $needs := include "interline.needs" (list $root $service) | fromJson -}}
{{- $_ := set $merged "needs" $needs -}}
{{- $_ := set $merged "secretKeys" (dig "secrets" dict $own | default dict) -}}
{{- $_ := set $merged "configuration" (include "interline.configuration" (list $root $merged $own $ports) | fromJson) -}}
{{- $all = append $all $merged -}}
{{- end -}}
{{- end -}}
{{- dict "services" $all | toJson -}}
{{- end -}}

{{/* Which of the named Secrets' items a service gets, and whether it shares the development volume. */}}
{{- define "interline.needs" -}}
{{- $root := first . -}}
{{- $service := last . -}}
{{- $files := list -}}
{{- $calls := false -}}
{{- range $service.addresses }}{{ if ne .service "sandbox" }}{{ $calls = true }}{{ end }}{{ end -}}
{{- if has "identity.private_key" $service.secrets }}{{ $files = append $files "identity.pem" }}{{ end -}}
{{- if $service.inner -}}
{{- $files = concat $files $root.Values.keys.public (list "master.key") -}}
{{- if $calls }}{{ $files = append $files "service.pem" }}{{ end -}}
{{- end -}}
{{- if has "audit.key" $service.secrets }}{{ $files = append $files "audit.key" }}{{ end -}}
{{- $shared := and (eq $root.Values.profile "development") (or (not $root.Values.keys.secret) (eq $service.name "sandbox") (and $service.inner (not $root.Values.store.secret))) -}}
{{- dict "keys" (ternary $files list (ne $root.Values.keys.secret ""))
    "store" (and $service.inner (ne $root.Values.store.secret ""))
    "cache" (and (ne $service.name "sandbox") (ne $root.Values.cache.secret ""))
    "shared" $shared
    "heads" (and (has "audit.key" $service.secrets) (ne $root.Values.auditHeads.claim ""))
    "outside" $service.inner | toJson -}}
{{- end -}}

{{/* The keys of a service's file, flat, strongest last: addresses and files, `config`, its own. */}}
{{- define "interline.configuration" -}}
{{- $root := index . 0 -}}
{{- $service := index . 1 -}}
{{- $own := index . 2 -}}
{{- $ports := index . 3 -}}
{{- $keys := dict "profile" $root.Values.profile "data_dir" "/var/lib/interline" "listen.host" "0.0.0.0" "listen.port" $service.port -}}
{{- range $service.addresses -}}
{{- if or (ne .service "sandbox") $root.Values.sandbox.enabled -}}
{{- $_ := set $keys .key (printf "http://%s:%v%s" (include "interline.name" (list $root .service)) (index $ports .service) .path) -}}
{{- end -}}
{{- end -}}
{{- $files := $service.needs.keys -}}
{{- $folder := "/run/interline/keys/" -}}
{{- if has "identity.pem" $files }}{{ $_ := set $keys "identity.private_key" (printf "file:%sidentity.pem" $folder) }}{{ end -}}
{{- if has "service.pem" $files }}{{ $_ := set $keys "identity.service_private_key" (printf "file:%sservice.pem" $folder) }}{{ end -}}
{{- if has "master.key" $files -}}
{{- $_ := set $keys "personal_data.master_key" (printf "file:%smaster.key" $folder) -}}
{{- $public := list -}}
{{- range $root.Values.keys.public }}{{ $public = append $public (printf "%s%s" $folder .) }}{{ end -}}
{{- $_ := set $keys "identity.public_keys" $public -}}
{{- end -}}
{{- if has "audit.key" $files }}{{ $_ := set $keys "audit.key" (printf "file:%saudit.key" $folder) }}{{ end -}}
{{- if $service.needs.store }}{{ $_ := set $keys "store.url" "file:/run/interline/store/url" }}{{ end -}}
{{- if $service.needs.cache }}{{ $_ := set $keys "cache.url" "file:/run/interline/cache/url" }}{{ end -}}
{{- if eq $service.name "api_gateway" }}{{ $_ := set $keys "auth.issuer" $root.Values.publicUrl }}{{ end -}}
{{- if eq $service.name "auth_service" }}{{ $_ := set $keys "tokens.issuer" $root.Values.publicUrl }}{{ end -}}
{{- include "interline.flatten" (list "" $root.Values.config $keys) -}}
{{- include "interline.flatten" (list "" (dig "config" dict $own | default dict) $keys) -}}
{{- range $key, $from := $service.secretKeys }}{{ $_ := set $keys $key (printf "file:/run/interline/secrets/%s" $key) }}{{ end -}}
{{- $keys | toJson -}}
{{- end -}}

{{/* Adds the leaves of nested values to a flat dictionary. Takes (list prefix values target). */}}
{{- define "interline.flatten" -}}
{{- $prefix := index . 0 -}}
{{- $target := index . 2 -}}
{{- range $key, $value := index . 1 -}}
{{- $path := printf "%s%s" $prefix $key -}}
{{- if kindIs "map" $value -}}
{{- include "interline.flatten" (list (printf "%s." $path) $value $target) -}}
{{- else if not (kindIs "invalid" $value) -}}
{{- $_ := set $target $path $value -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A service's file. JSON's strings, numbers, booleans and lists of them are TOML's. */}}
{{- define "interline.toml" -}}
[{{ .name }}]
{{- range $key, $value := .configuration }}
{{ $key }} = {{ toJson $value }}
{{- end }}
{{ end -}}
