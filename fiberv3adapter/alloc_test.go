//go:build !race

package fiberv3adapter

import "testing"

func TestAllocations(t *testing.T) { unit.Allocations(t) }
