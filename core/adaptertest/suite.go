package adaptertest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// Run runs every case as a subtest of t for each backend, over real connections.
// Without backends it uses [Memory], [Cookie] and [Bearer]. Subtests are called
// name/backend/case; a case's name begins with the promise that it checks. Cases
// are independent of each other and run in parallel.
//
//	func TestConformance(t *testing.T) { adaptertest.Run(t, "nethttp", httpapp.New) }
func Run(t *testing.T, name string, newApp NewApp, backends ...Backend) {
	t.Helper()
	if len(backends) == 0 {
		backends = []Backend{Memory(), Cookie(), Bearer()}
	}
	t.Run(name, func(t *testing.T) {
		for _, b := range backends {
			t.Run(b.Name, func(t *testing.T) {
				for _, c := range casesFor(b) {
					t.Run(c.name, func(t *testing.T) {
						if !c.alone {
							t.Parallel()
						}
						runCase(t, t, c, newApp, b)
					})
				}
			})
		}
	})
}

// testCase is one promise as a client sees it.
type testCase struct {
	name string         // ID_words: the promise, rows of the security checklist, what happens
	why  string         // one sentence, printed when the case fails
	run  func(*harness) // checks it

	// atOnce means that GETs are sent as POSTs, so that a backend with a window gives
	// the newest state.
	atOnce bool

	// alone is for cases that measure: no other case runs meanwhile.
	alone bool

	// needs is another promise that the case depends on; "" for none.
	needs string

	// cookie is why the case is about cookies alone, "" if it is not. Then it is left
	// out where tokens travel in headers.
	cookie string

	// header means that the case is about headers that carry tokens, and is left out
	// where cookies do.
	header bool

	// limited replaces run for a backend that declares that it cannot keep the
	// promise: it checks what happens instead. Nil: every backend keeps it.
	limited func(*harness)
}

// id returns the promise that the case is about.
func (c testCase) id() string {
	id, _, _ := strings.Cut(c.name, "_")
	return id
}

// allCases returns the cases of all concerns.
func allCases() []testCase {
	return slices.Concat(
		loadCases, tokenCases, unavailableCases,
		commitCases, waysCases(), failedCommitCases, rollbackCases, lateCases, headerCases, insideCases,
		concurrencyCases, timeoutCases, shorterCases, touchCases, flashCases, flashStatusCases,
		identityCases, lateTokenCases, usersCases, failureCases, sizeCases,
		frameworkCases, frameworkErrorCases, lifetimeCases,
		securityCases, securityCookieCases, securityTokenCases, carrierCases,
	)
}

// casesFor returns the cases that apply to b.
func casesFor(b Backend) []testCase {
	inHeader := b.Carrier != core.Carrier{}
	cases := allCases()
	if b.Window > 0 {
		cases = windowed(cases)
	}
	return slices.DeleteFunc(cases, func(c testCase) bool { return inHeader && c.cookie != "" || !inHeader && c.header })
}

// reporter is the part of [testing.TB] that cases use. Tests of the suite
// itself pass one that records.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Failed() bool
	Cleanup(f func())
	Context() context.Context
}

// runCase runs c and, if it fails, logs why it matters.
func runCase(t *testing.T, r reporter, c testCase, newApp NewApp, b Backend) {
	r.Helper()
	defer func() {
		if r.Failed() {
			r.Logf("%s: %s", c.name, c.why)
		}
	}()
	h := newHarness(t, r, newApp, b)
	h.atOnce = c.atOnce
	id := c.id()
	if b.Limits[id] == "" {
		id = c.needs
	}
	reason, limit := b.Limits[id]
	if c.limited == nil || !limit {
		c.run(h)
		return
	}
	r.Logf("promise-limit: %s %s %s", b.Name, id, reason)
	c.limited(h)
}
