// Package memcached speaks to one Memcached server: the commands that package
// memcachedstore needs, each of which ends with its context.
//
// Items are read and deleted with meta commands, whose answers name their key. They
// are written with add and cas: when the server is out of memory or the item is too
// large, its meta command ms deletes what is stored under the key, these do not. See
// docs/decisions/0037.
package memcached
