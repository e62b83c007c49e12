package metrics_test

import (
	_ "github.com/satchel-go/satchel/otelsatchel"
	_ "github.com/satchel-go/satchel/promsatchel"
	_ "go.opentelemetry.io/otel/exporters/prometheus"
	_ "go.opentelemetry.io/otel/sdk/metric"
	_ "go.opentelemetry.io/otel/sdk/trace"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/prometheus/common/expfmt"
	_ "github.com/prometheus/client_model/go"
	_ "github.com/goccy/go-yaml"
)
