package main

import (
	"testing"

	"github.com/satchel-go/satchel/examples/internal/runtest"
)

func TestDemo(t *testing.T) { runtest.Demo(t) }
