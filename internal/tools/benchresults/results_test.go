package benchresults

import (
	"strings"
	"testing"
)

func TestMedianOfAnEvenNumber(t *testing.T) {
	if got := median([]float64{4, 1, 3, 100}, func(v float64) float64 { return v }); got != 3.5 {
		t.Errorf("median %v, want 3.5", got)
	}
}

func TestUnusableResults(t *testing.T) {
	for name, output := range map[string]string{
		"none":         "PASS\n",
		"other names":  "BenchmarkX-2 10 20 ns/op\n",
		"no time":      "BenchmarkSession/read/redis/scs-2 10 20 B/op\n",
		"not a number": "BenchmarkSession/read/redis/scs-2 10 x ns/op\n",
		"a round is incomplete": "BenchmarkSession/read/redis/scs-2 10 20 ns/op\n" + "BenchmarkSession/read/redis/fiber-2 10 20 ns/op\n" +
			"BenchmarkSession/read/redis/scs-2 10 20 ns/op\n",
	} {
		if _, err := Parse(strings.NewReader(output)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
