package main

import (
	"slices"
	"strings"
)

// kinds are the letters of the promises' numbers, longest first.
var kinds = []string{"SEC", "AD", "L", "C", "K", "T", "F", "I", "E"}

// idsOf returns the promises that the name of one test names, such as
// "TestK2LogoutWins", "TestK1SEC39NoLostUpdate" and the subtests
// "K2_logout_wins" and "K1_SEC39_no_lost_update". A small letter after the
// number ("F1b_head_keeps_it") numbers the cases of one promise and is left out.
func idsOf(name string) []string {
	subtest := true
	for _, prefix := range []string{"Test", "Fuzz"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			name, subtest = rest, false
			break
		}
	}
	var ids []string
	for {
		id, rest, ok := cutID(name, subtest)
		if !ok {
			return ids
		}
		ids = append(ids, id)
		name = strings.TrimPrefix(rest, "_")
	}
}

// cutID takes one promise off the front of name. In a subtest's name, "_" or the
// end must follow it; in a test function's, a new word may follow as well.
func cutID(name string, subtest bool) (id, rest string, ok bool) {
	if strings.HasPrefix(name, "E2E") {
		return "", "", false // as in E2E, end to end
	}
	for _, kind := range kinds {
		rest, ok := strings.CutPrefix(name, kind)
		if !ok {
			continue
		}
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 || rest[0] == '0' {
			continue
		}
		id, rest = kind+rest[:digits], rest[digits:]
		if rest != "" && isLower(rest[0]) {
			rest = rest[1:]
		}
		if rest == "" || rest[0] == '_' || !subtest && isUpper(rest[0]) {
			return id, rest, true
		}
	}
	return "", "", false
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

// cellOf returns the cell of the adapter suite that a test belongs to:
// TestConformance…/<adapter>/<backend>/<case>. Every other test counts as core,
// and so do backends without a column.
func cellOf(test string) (cell, bool) {
	parts := strings.Split(test, "/")
	if len(parts) < 4 || !strings.HasPrefix(parts[0], "TestConformance") || !slices.Contains(backends, parts[2]) {
		return cell{}, false
	}
	return cell{parts[1], parts[2]}, true
}
