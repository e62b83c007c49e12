package metrics_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/goccy/go-yaml"

	"github.com/satchel-go/satchel/internal/metrics"
)

// exported returns the labels of each metric, with all values that each may have; nil
// means any.
func exported() map[string]map[string][]string {
	manager := metrics.Label(metrics.Manager)
	set := func(pairs ...[]string) map[string][]string {
		labels := map[string][]string{manager: nil, "job": nil}
		for _, p := range pairs {
			labels[metrics.Label(p[0])] = p[1:]
		}
		return labels
	}
	events, reasons := []string{metrics.Event}, []string{metrics.Reason}
	for _, o := range metrics.Occasions() {
		events, reasons = append(events, string(o.Kind)), append(reasons, string(o.Reason))
	}
	operations, outcomes, errs := []string{metrics.Operation}, []string{metrics.StoreOutcome}, []string{metrics.ErrorType}
	for _, c := range metrics.AllCalls() {
		operations, outcomes, errs = append(operations, c.Operation), append(outcomes, c.Outcome), append(errs, c.ErrorType)
	}
	all := map[string]map[string][]string{
		metrics.Events.Prometheus(true):    set(events, reasons),
		metrics.Sessions.Prometheus(false): set(),
		metrics.Moved.Prometheus(true):     set(),
		metrics.ReadOld.Prometheus(true):   set(),
		metrics.Failed.Prometheus(true):    set(),
	}
	for i, labels := range map[string]map[string][]string{
		metrics.Load.Prometheus(false):   set(append([]string{metrics.Outcome}, metrics.Loads...)),
		metrics.Commit.Prometheus(false): set(append([]string{metrics.Outcome}, metrics.Commits...)),
		metrics.Size.Prometheus(false):   set(),
		metrics.Calls.Prometheus(false):  set(operations, outcomes, errs),
	} {
		all[i+"_sum"], all[i+"_count"] = labels, labels
		all[i+"_bucket"] = maps.Clone(labels)
		all[i+"_bucket"]["le"] = nil
	}
	return all
}

// TestTableIsWhatIsExported: the golden export, which both ways have made, has no
// metric, label or value that the table of this test does not have, and all metrics.
func TestTableIsWhatIsExported(t *testing.T) {
	golden, err := os.ReadFile("testdata/export.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(golden)) {
		selector := line[:strings.LastIndex(line, " ")]
		name, _, _ := strings.Cut(selector, "{")
		if _, ok := exported()[name]; !ok { // a histogram
			selector = strings.Replace(selector, name, name+"_count", 1)
			name += "_count"
		}
		seen[name] = true
		for _, problem := range problems(selector) {
			t.Error(problem)
		}
	}
	for name := range exported() {
		name = strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum")
		if !seen[name] && !seen[name+"_count"] {
			t.Errorf("the scenarios export no %s", name)
		}
	}
}

// problems returns what is wrong with a query: syntax, and metrics, labels and values
// that are not exported.
func problems(query string, legends ...string) (all []string) {
	expr, err := metricsql.Parse(query)
	if err != nil {
		return []string{query + ": " + err.Error()}
	}
	problem := func(what string) { all = append(all, query+": there is no "+what) }
	world := exported()
	used := map[string]bool{} // labels of the metrics in it
	var by []string
	metricsql.VisitAll(expr, func(e metricsql.Expr) {
		switch e := e.(type) {
		case *metricsql.MetricExpr:
			for _, filters := range e.LabelFilterss {
				name := ""
				for _, f := range filters {
					if f.Label == "__name__" {
						name = f.Value
					}
				}
				labels, ok := world[name]
				if !ok {
					problem("metric " + name)
					continue
				}
				for l := range labels {
					used[l] = true
				}
				for _, f := range filters {
					values, ok := labels[f.Label]
					switch {
					case f.Label == "__name__":
					case !ok:
						problem("label " + f.Label + " of " + name)
					case values == nil:
					case !f.IsRegexp:
						if !slices.Contains(values, f.Value) {
							problem(f.Label + " " + f.Value)
						}
					default:
						for value := range strings.SplitSeq(f.Value, "|") {
							if !slices.Contains(values, value) {
								problem(f.Label + " " + value)
							}
						}
					}
				}
			}
		case *metricsql.AggrFuncExpr:
			by = append(by, e.Modifier.Args...)
		}
	})
	for _, l := range by {
		if !used[l] {
			problem("label " + l + " to sum by")
		}
	}
	for _, legend := range legends {
		for _, m := range regexp.MustCompile(`{{ *(?:\$labels\.)?(\w+) *}}`).FindAllStringSubmatch(legend, -1) {
			if !slices.Contains(by, m[1]) {
				problem("label " + m[1] + " in the result, for " + legend)
			}
		}
	}
	return all
}

// grafana are Grafana's variables.
var grafana = strings.NewReplacer("$__rate_interval", "5m", "$manager", ".*", "$max_bytes", "65536")

func TestDashboardAsksForWhatIsExported(t *testing.T) {
	text, err := os.ReadFile("../../docs/grafana/satchel.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ RefID, Expr, LegendFormat string }
		}
		Templating struct{ List []struct{ Name string } }
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) != 8 {
		t.Errorf("%d panels", len(dashboard.Panels))
	}
	variables := []string{"__rate_interval"}
	for _, v := range dashboard.Templating.List {
		variables = append(variables, v.Name)
	}
	places := map[[2]int]bool{}
	for i, p := range dashboard.Panels {
		if p.ID != i+1 || p.Title == "" || len(p.Targets) == 0 || places[[2]int{p.GridPos.X, p.GridPos.Y}] {
			t.Errorf("panel %d, %q, has the ID %d, %d queries and the place %v", i+1, p.Title, p.ID, len(p.Targets), p.GridPos)
		}
		places[[2]int{p.GridPos.X, p.GridPos.Y}] = true
		refs := map[string]bool{}
		for _, target := range p.Targets {
			if refs[target.RefID] {
				t.Errorf("%s: two queries %s", p.Title, target.RefID)
			}
			refs[target.RefID] = true
			for _, v := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(target.Expr, -1) {
				if !slices.Contains(variables, v[1]) {
					t.Errorf("%s: there is no variable %s", p.Title, v[1])
				}
			}
			for _, problem := range problems(grafana.Replace(target.Expr), target.LegendFormat) {
				t.Errorf("%s: %s", p.Title, problem)
			}
		}
	}
	if used := "satchel_session_events_total"; !bytes.Contains(text, []byte("label_values("+used+", satchel_manager)")) {
		t.Error("the managers' names come from elsewhere")
	}
}

func TestAlertsAskForWhatIsExported(t *testing.T) {
	text, err := os.ReadFile("../../docs/grafana/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct { // all that Prometheus knows in such a file and this one may use
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) != 4 {
		t.Fatalf("%+v", file)
	}
	for _, r := range file.Groups[0].Rules {
		if r.Alert == "" || r.Annotations["summary"] == "" || !slices.Contains([]string{"critical", "warning"}, r.Labels["severity"]) {
			t.Errorf("%+v", r)
		}
		if _, err := time.ParseDuration(r.For); r.For != "" && err != nil {
			t.Errorf("%s: %v", r.Alert, err)
		}
		for _, problem := range problems(r.Expr, r.Annotations["summary"], r.Annotations["description"]) {
			t.Errorf("%s: %s", r.Alert, problem)
		}
		// What is compared with a time before begins at zero; see Alerting.
		for _, m := range regexp.MustCompile(`increase\(([^[]*)\[`).FindAllStringSubmatch(r.Expr, -1) {
			counted := 0
			for _, o := range metrics.Occasions() {
				if o.Alerting() && strings.Contains(m[1], string(o.Kind)) {
					counted++
				}
			}
			if counted == 0 {
				t.Errorf("%s: the first event is missed", r.Alert)
			}
		}
	}
}

// Queries with mistakes, which the tests above must find.
func TestMistakesInQueriesAreFound(t *testing.T) {
	for query, want := range map[string]string{
		`sum(satchel_session_event_total)`:                                                   "metric satchel_session_event_total",
		`satchel_session_events_total{event="login"}`:                                        "label event of",
		`satchel_session_events_total{satchel_event="log in"}`:                               "satchel_event log in",
		`satchel_session_events_total{satchel_event=~"login|signup"}`:                        "satchel_event signup",
		`sum by (satchel_outcome) (satchel_session_events_total)`:                            "label satchel_outcome to sum by",
		`rate(satchel_session_events_total[5m]`:                                              "unexpected token",
		`histogram_quantile(0.95, rate(satchel_session_size_bytes{le="1"}[5m]))`:             "metric satchel_session_size_bytes",
		`sum by (satchel_manager) (satchel_store_operation_duration_seconds_count{a!="ok"})`: "label a of",
	} {
		if got := strings.Join(problems(query), "; "); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if got := problems(`sum by (satchel_event) (satchel_session_events_total)`, "{{satchel_reason}}"); len(got) != 1 {
		t.Errorf("a legend: %q", got)
	}
}
