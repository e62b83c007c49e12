package main

import (
	"slices"
	"strconv"
	"strings"
)

// What must be tested. A promise of the core counts once for each adapter and
// backend, as does each difference between frameworks (AD). For the security
// checklist (SEC), see checklist.
var (
	adapters = []string{"nethttp", "echo5", "echo", "gin", "fiber3", "fiber"}
	backends = []string{
		"memory", "cookie", "bearer", "redis", "memcached", "file", "postgres", "mariadb", "sqlite", "jwt-eddsa", "gorilla-cookie", "gorilla-redis",
		"gorilla-redis-compatible", "gorilla-files",
	}

	// aboutCookies need no test where tokens travel in a header.
	aboutCookies = map[string]bool{
		"AD1": true, "AD3": true, "AD4": true, "AD5": true,
		"SEC26": true, "SEC27": true, "SEC28": true, "SEC32": true, "SEC35": true, "SEC41": true,
	}

	corePromises = numbered(
		span{"L", 1, 4}, span{"C", 1, 7}, span{"K", 1, 3}, span{"T", 1, 3},
		span{"F", 1, 6}, span{"I", 1, 3}, span{"E", 1, 3},
	)

	differences = numbered(span{"AD", 1, 33})

	requiredSEC = requiredOf(checklist)
)

func requiredOf(rows []requirement) (ids []string) {
	for _, r := range rows {
		if r.required() {
			ids = append(ids, r.id())
		}
	}
	return ids
}

// inHeader is the backend whose tokens travel in a header.
const inHeader = "bearer"

// cell is one adapter on one backend.
type cell struct{ adapter, backend string }

func (c cell) String() string { return c.adapter + "/" + c.backend }

// cells are the columns, in order.
func cells() []cell {
	var all []cell
	for _, a := range adapters {
		for _, b := range backends {
			all = append(all, cell{a, b})
		}
	}
	return all
}

// span is the promises from kind+first to kind+last.
type span struct {
	kind        string
	first, last int
}

func numbered(spans ...span) []string {
	var ids []string
	for _, s := range spans {
		for n := s.first; n <= s.last; n++ {
			ids = append(ids, s.kind+strconv.Itoa(n))
		}
	}
	return ids
}

// compareIDs orders promises of one kind by number.
func compareIDs(a, b string) int { return number(a) - number(b) }

func number(id string) int {
	n, err := strconv.Atoi(strings.TrimLeft(id, "ACDEFIKLST"))
	if err != nil {
		return 0
	}
	return n
}

// rowsFor returns the rows of the table, given the promises that tests name.
func rowsFor(seen []string) []string {
	ad, sec := slices.Clone(differences), slices.Clone(requiredSEC)
	for _, id := range seen {
		switch {
		case strings.HasPrefix(id, "AD") && !slices.Contains(differences, id):
			ad = append(ad, id)
		case strings.HasPrefix(id, "SEC") && !slices.Contains(requiredSEC, id):
			sec = append(sec, id)
		}
	}
	slices.SortFunc(ad, compareIDs)
	slices.SortFunc(sec, compareIDs)
	return slices.Concat(corePromises, ad, sec)
}
