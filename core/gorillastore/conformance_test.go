package gorillastore

import (
	"maps"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/httpadapter/httpapp"
)

func TestConformance(t *testing.T) {
	adaptertest.Run(t, "nethttp", httpapp.New, adaptertest.Backend{
		Name:   "gorilla-cookie",
		Sealer: func(*testing.T) core.Sealer { return NewSealer(pair("suite")...) },
		Limits: Limits(),
	})
}

func TestLimitsAreThoseOfClientSideSessions(t *testing.T) {
	if !maps.Equal(Limits(), adaptertest.ClientSideLimits()) {
		t.Error("gorilla's cookies keep more or fewer promises than others: say so in the documentation")
	}
	Limits()["K1"] = "changed"
	if Limits()["K1"] == "changed" {
		t.Error("the limits can be changed")
	}
}
