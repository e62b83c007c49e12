package fiberv3adapter_test

import (
	"testing"

	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/fiberv3adapter/fiberapp"
)

func TestConformance(t *testing.T) { adaptertest.Run(t, "fiber3", fiberapp.New) }
