package echoadapter_test

import (
	"testing"

	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/echoadapter/echoapp"
)

func TestConformance(t *testing.T) { adaptertest.Run(t, "echo", echoapp.New) }
