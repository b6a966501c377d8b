{{/* The release's name, once, in the names of everything. */}}
{{- define "interline.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The name of a service's objects. Takes (list root name). */}}
{{- define "interline.name" -}}
{{- printf "%s-%s" (include "interline.fullname" (first .)) (last . | replace "_" "-") -}}
{{- end -}}

{{/* What does not change over a release's life. Takes (list root name). */}}
{{- define "interline.selector" -}}
app.kubernetes.io/name: {{ last . | replace "_" "-" }}
app.kubernetes.io/instance: {{ (first .).Release.Name }}
{{- end -}}

{{- define "interline.labels" -}}
{{- $root := first . -}}
{{ include "interline.selector" . }}
app.kubernetes.io/part-of: interline
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{- define "interline.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
{{- end -}}
