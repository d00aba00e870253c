// std::regex: a great many templates, locale facets and exceptions.
//# Compilers: clang | gcc
//# Flags: -O0
//# MoreFlags: -O2 | -O2 -fno-pic | -O0 -ffunction-sections -fdata-sections | -O0 -mcmodel=large -fno-pic
//# Stdout: 2026-01-31: year 2026 month 01
//# Stdout: [a][b][c]
//# Stdout: caught
#include <cstdio>
#include <regex>
#include <string>
int main() {
    std::string text = "on 2026-01-31 and later";
    std::smatch match;
    if (std::regex_search(text, match, std::regex("(\\d{4})-(\\d{2})-(\\d{2})")))
        std::printf("%s: year %s month %s\n", match.str(0).c_str(), match.str(1).c_str(), match.str(2).c_str());
    std::printf("%s\n", std::regex_replace(std::string("abc"), std::regex("."), "[$&]").c_str());
    try { std::regex bad("("); } catch (const std::regex_error &) { std::puts("caught"); }
}
