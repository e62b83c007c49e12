package fiberadapter

import (
	"testing"

	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

func FuzzSEC31SEC46HeaderLines(f *testing.F) { adapterunit.FuzzHeaderLines(f, rawLines) }
