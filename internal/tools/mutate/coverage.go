package main

import (
	"fmt"
	"regexp"
	"slices"
)

// commitPoints are the moments at which each adapter must act on the session.
// Fiber sends nothing before its handlers return: it has no flush, and its
// streams begin after the commit.
var commitPoints = []string{
	"nethttp/header", "nethttp/finish", "nethttp/panic", "nethttp/error", "nethttp/flush", "nethttp/hijack", "nethttp/failed",
	"echo5/header", "echo5/finish", "echo5/panic", "echo5/error", "echo5/flush", "echo5/hijack", "echo5/failed",
	"echo/header", "echo/finish", "echo/panic", "echo/error", "echo/flush", "echo/hijack", "echo/failed",
	"gin/header", "gin/finish", "gin/panic", "gin/error", "gin/flush", "gin/hijack", "gin/failed",
	"fiber3/finish", "fiber3/panic", "fiber3/error", "fiber3/hijack", "fiber3/stream", "fiber3/failed",
	"fiber/finish", "fiber/panic", "fiber/error", "fiber/hijack", "fiber/stream", "fiber/failed",
}

// core matches the promises that must each have a mutation. Rows of the security
// checklist, and differences between frameworks, may have one.
var core = regexp.MustCompile(`^[LCKTFIE][0-9]+$`)

var row = regexp.MustCompile(`(?m)^\| ([A-Z]+[0-9]+) \|`)

// promisesIn returns the promises in the table that "make promises" writes.
func promisesIn(page string) (ids []string) {
	for _, match := range row.FindAllStringSubmatch(page, -1) {
		ids = append(ids, match[1])
	}
	return ids
}

// uncovered says what has no mutation, and which mutations name something unknown.
func uncovered(all []mutation, promises []string) (problems []string) {
	known := slices.Concat(promises, commitPoints)
	covered := map[string]bool{}
	for _, m := range all {
		for _, id := range m.promises {
			covered[id] = true
			if !slices.Contains(known, id) {
				problems = append(problems, fmt.Sprintf("%s: there is no promise %s", m.name, id))
			}
		}
	}
	required := 0
	for _, id := range known {
		must := core.MatchString(id) || slices.Contains(commitPoints, id)
		if must && !covered[id] {
			problems = append(problems, id+" has no mutation")
		}
		if core.MatchString(id) {
			required++
		}
	}
	if required == 0 {
		problems = append(problems, "the table of promises has none")
	}
	return problems
}
