package compare

import "fmt"

// mark is the result of a case on a library.
type mark string

const (
	yes           mark = "yes"
	no            mark = "no"
	notApplicable mark = "–"
)

// verdict is a mark with what was seen. A note says nothing that differs from run to run.
type verdict struct {
	mark mark
	note string
}

// met is yes if ok, and otherwise no with a note.
func met(ok bool, format string, args ...any) verdict {
	if ok {
		return verdict{mark: yes}
	}
	return verdict{no, fmt.Sprintf(format, args...)}
}

// comparison is one row: a claim that is good to be true, and a test of it.
type comparison struct {
	id    string // the anchor of its section
	title string // the claim, in the table
	how   string // what the case does
	run   func(c *check) verdict
}

// group is a part of the table.
type group struct {
	title  string
	source string // the file of its cases
	cases  []comparison
}

var groups = []group{
	{"Requests that overlap", "overlap_test.go", overlapCases},
	{"Flash messages", "flash_test.go", flashCases},
	{"Saving", "saving_test.go", savingCases},
	{"Who may use a session", "identity_test.go", identityCases},
	{"When sessions end", "end_test.go", endCases},
	{"Redis is down", "outage_test.go", outageCases},
	{"Cookies and cost", "cost_test.go", costCases},
	{"What can be stored", "value_test.go", valueCases},
}
