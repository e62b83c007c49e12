package fiberadapter_test

import (
	"testing"

	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/fiberadapter/fiberapp"
)

func TestConformance(t *testing.T) { adaptertest.Run(t, "fiber", fiberapp.New) }
