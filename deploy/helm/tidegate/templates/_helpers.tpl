{{- define "tidegate.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "tidegate.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tidegate.labels" -}}
{{ include "tidegate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "tidegate.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "tidegate.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end -}}
{{- end }}

{{/* The whole configuration, in one place. */}}
{{- define "tidegate.configuration" -}}
data_dir: /var/lib/tidegate
policies: /etc/tidegate/policies
listeners:
{{- range .Values.listeners }}
  - address: "0.0.0.0:{{ .port }}"
    dialect: {{ .dialect }}
    targets: {{ toJson .targets }}
    tls: { certificate: /etc/tidegate/tls/tls.crt, key: /etc/tidegate/tls/tls.key }
    {{- with .authentication }}
    authentication: {{ . }}
    {{- end }}
{{- end }}
targets:
{{ toYaml .Values.targets | indent 2 }}
store:
  postgres:
    endpoint: {{ .Values.store.endpoint | quote }}
    database: {{ .Values.store.database | quote }}
    account: { user: {{ .Values.store.user | quote }}, password_file: {{ printf "/etc/tidegate/secrets/%s" .Values.store.passwordKey | quote }} }
    tls: {{ toJson .Values.store.tls }}
api:
  address: "0.0.0.0:6480"
  tls: { certificate: /etc/tidegate/tls/tls.crt, key: /etc/tidegate/tls/tls.key }
audit: { durability: {{ .Values.audit.durability }} }
shutdown: { delay_s: {{ .Values.shutdown.delaySeconds }}, drain_s: {{ .Values.shutdown.drainSeconds }} }
{{- with .Values.extraConfig }}
{{ toYaml . }}
{{- end }}
{{- end }}
