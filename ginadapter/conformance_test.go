package ginadapter_test

import (
	"testing"

	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/ginadapter/ginapp"
)

func TestConformance(t *testing.T) { adaptertest.Run(t, "gin", ginapp.New) }
