/* Runs the Lua script named by the first argument, with the others in the global `arg`. */
#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"
#include <stdio.h>

int main(int argc, char **argv) {
    lua_State *state = luaL_newstate();
    if (!state || argc < 2)
        return 2;
    luaL_openlibs(state);
    lua_newtable(state);
    for (int i = 2; i < argc; i++) {
        lua_pushstring(state, argv[i]);
        lua_rawseti(state, -2, i - 1);
    }
    lua_setglobal(state, "arg");
    int failed = luaL_dofile(state, argv[1]);
    if (failed)
        fprintf(stderr, "%s\n", lua_tostring(state, -1));
    lua_close(state);
    return failed;
}
