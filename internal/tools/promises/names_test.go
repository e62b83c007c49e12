package main

import (
	"slices"
	"testing"
)

func TestIDsOf(t *testing.T) {
	for _, tc := range []struct {
		name string
		want []string
	}{
		{"K2_logout_wins", []string{"K2"}},
		{"AD14_panics", []string{"AD14"}},
		{"F1b_head_keeps_it", []string{"F1"}},
		{"K1_SEC39_no_lost_update", []string{"K1", "SEC39"}},
		{"K1", []string{"K1"}},
		{"TestK2LogoutWins", []string{"K2"}},
		{"TestK2_logout", []string{"K2"}},
		{"TestK2aLogoutWins", []string{"K2"}},
		{"TestSEC16NothingInFlightResurrects", []string{"SEC16"}},
		{"TestK1SEC39NoLostUpdate", []string{"K1", "SEC39"}},
		{"FuzzSEC22Cookie", []string{"SEC22"}},
		{"FuzzSEC22Cookie#01", []string{"SEC22"}},
		{"TestE2EFlow", nil},
		{"TestKeyring", nil},
		{"TestT3remember", nil},
		{"K2Logout", nil},
		{"SEC01_padded", nil},
		{"plain words", nil},
		{"seed#0", nil},
	} {
		if got := idsOf(tc.name); !slices.Equal(got, tc.want) {
			t.Errorf("idsOf(%q) = %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestCellOf(t *testing.T) {
	got, ok := cellOf("TestConformance/gin/gorilla-cookie/F1_redirects_keep_it/303")
	if want := (cell{"gin", "gorilla-cookie"}); !ok || got != want {
		t.Errorf("got %v, %v, want %v", got, ok, want)
	}
	if _, ok := cellOf("TestConformanceFrom/nethttp/gorilla-files/K1_words"); !ok {
		t.Error("a run of the suite under another name has no cell")
	}
	for _, name := range []string{"TestConformance/gin/memory", "TestConformanceEncrypted/nethttp/encrypted/K1_words", "TestStore/memstore/K1_conflict/x", "TestK1"} {
		if got, ok := cellOf(name); ok {
			t.Errorf("cellOf(%q) = %v, want none", name, got)
		}
	}
}
