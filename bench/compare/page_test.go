package compare

import "testing"

func publish(t *testing.T, found results) {
	for _, g := range groups {
		for _, k := range g.cases {
			for _, l := range libraries() {
				t.Log(k.id, "|", l.column(), "|", found[k.id][l.column()])
			}
		}
	}
}
