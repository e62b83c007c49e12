package echov5adapter_test

import (
	"testing"

	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/echov5adapter/echoapp"
)

func TestConformance(t *testing.T) { adaptertest.Run(t, "echo5", echoapp.New) }
