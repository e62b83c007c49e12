package httpadapter_test

import (
	"testing"

	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/httpadapter/httpapp"
)

func TestConformance(t *testing.T) { adaptertest.Run(t, "nethttp", httpapp.New) }
