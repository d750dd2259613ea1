{{- define "kubently.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "kubently.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "kubently.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{ include "kubently.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "kubently.serviceAccountName" -}}
{{- default (include "kubently.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- /* Pods are told <release>-redis-master, while the Service is <fullname>-redis-master: as in Kubently. */ -}}
{{- define "kubently.redisHost" -}}
{{ .Release.Name }}-redis-master
{{- end -}}

{{- define "kubently.redisPasswordEnv" -}}
{{- if .Values.redis.auth.enabled }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ default "kubently-redis-password" .Values.redis.auth.existingSecret }}
      key: password
{{- end }}
{{- end -}}

{{- define "kubently.executorTokenRef" -}}
secretKeyRef:
  name: {{ default (printf "%s-executor-token" (include "kubently.fullname" .)) .Values.executor.existingSecret }}
  key: {{ ternary (default "token" .Values.executor.existingSecretKey) "token" (not (empty .Values.executor.existingSecret)) }}
{{- end -}}

{{- define "kubently.scheduling" -}}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
