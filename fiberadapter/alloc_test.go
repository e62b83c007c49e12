//go:build !race

package fiberadapter

import "testing"

func TestAllocations(t *testing.T) { unit.Allocations(t) }
